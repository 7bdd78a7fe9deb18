"""A process's place in the swarm, over QUIC on loopback."""

import asyncio
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.membership import Membership, quic_membership, reachable_addresses
from gateway.settings import Settings
from gateway.uplink_books import read_books
from gateway.uplink_keeper import UplinkReport, local_time
from gateway.upload_budget import UploadLimit, month_of
from swarm.events import ManifestReady, News, PieceReady
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import RenditionInfo
from swarm.units import Address, StreamId

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)
RENDITION = RenditionInfo(number=0, name="main", bitrate_bps=800_000, piece_us=200_000, k=4, n=6, media=b"media")


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEEDCAST_DATA_DIR", str(tmp_path))


def loopback(seed: int) -> Membership:
    return quic_membership(Settings(swarm_host="127.0.0.1"), Identity(bytes([seed]) * 32))


def publish(source: Membership, number: int) -> None:
    source.publish(
        STREAM,
        0,
        b"%06d" % number * 3000,
        number=number,
        key=True,
        capture_us=int(time.time() * 1e6) - 200_000,
        duration_us=200_000,
    )


async def pass_one_piece() -> tuple[list[News], int]:
    source, viewer = loopback(1), loopback(2)
    await source.start()
    await viewer.start()
    news: list[News] = []
    arrived = asyncio.Event()

    def hear(item: News) -> None:
        news.append(item)
        if isinstance(item, PieceReady):
            arrived.set()

    try:
        source.broadcast(OWNER, title="News", epoch=7, renditions=(RENDITION,))
        viewer.join(Link(STREAM, "", source.addresses), 0, hear)
        number = 100
        while not arrived.is_set():
            publish(source, number)
            number += 1
            await asyncio.wait((asyncio.ensure_future(arrived.wait()),), timeout=0.2)
        status = viewer.status(STREAM, 0)
        assert status is not None
        viewer.leave(STREAM)
        assert viewer.status(STREAM, 0) is None
        return news, len(status.peers)
    finally:
        await viewer.stop()
        await source.stop()


def test_who_joins_hears_the_streams_news_and_sees_its_peers() -> None:
    news, peers = asyncio.run(pass_one_piece())
    assert isinstance(news[0], ManifestReady)
    assert (news[0].manifest.title, news[0].manifest.epoch) == ("News", 7)
    piece = next(item for item in news if isinstance(item, PieceReady))
    assert piece.payload == b"%06d" % piece.number * 3000
    assert peers == 1


def test_a_port_in_use_is_said() -> None:
    async def start() -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
            taken.bind(("127.0.0.1", 0))
            settings = Settings(swarm_host="127.0.0.1", swarm_port=taken.getsockname()[1])
            await quic_membership(settings, OWNER).start()

    with pytest.raises(CannotStart, match="swarm_port"):
        asyncio.run(start())


def test_links_name_what_the_settings_say() -> None:
    async def addresses() -> tuple[Address, ...]:
        member = quic_membership(Settings(swarm_host="127.0.0.1", advertise=("203.0.113.7:7000",)), OWNER)
        await member.start()
        await member.stop()
        return member.addresses

    assert asyncio.run(addresses()) == (Address("203.0.113.7", 7000),)


def test_a_socket_on_all_addresses_is_reachable_at_a_real_one() -> None:
    (address,) = reachable_addresses(Address("0.0.0.0", 4000))
    assert address.port == 4000
    assert address.host != "0.0.0.0"
    assert reachable_addresses(Address("127.0.0.1", 4000)) == (Address("127.0.0.1", 4000),)


def test_what_was_never_started_can_be_stopped() -> None:
    asyncio.run(loopback(3).stop())


def test_limits_reach_the_node_and_the_month_is_kept(tmp_path: Path) -> None:
    async def limited() -> UplinkReport | None:
        member = quic_membership(Settings(swarm_host="127.0.0.1", upload_limit_bps=2_000_000), OWNER)
        await member.start()
        try:
            member.limit_upload(UploadLimit(1e6, paused=True))
            return member.uplink_report()
        finally:
            await member.stop()

    report = asyncio.run(limited())
    assert report is not None
    assert (report.cap_bps, report.paused) == (1e6, True)
    assert read_books(tmp_path).month == month_of(local_time())
