"""A process's place in the swarm, over QUIC on loopback."""

import asyncio
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.membership import Membership, quic_membership
from gateway.settings import Settings
from gateway.uplink_books import read_books
from gateway.uplink_keeper import UplinkReport, local_time
from gateway.upload_budget import UploadLimit, month_of
from swarm.events import ManifestReady, News, PieceReady
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import Manifest, RenditionInfo
from swarm.sealer import Sealing
from swarm.sealing import Admission
from swarm.units import Address, StreamId

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)
RENDITION = RenditionInfo(number=0, name="main", bitrate_bps=800_000, piece_us=200_000, k=4, n=6, media=b"media")
SEALING = Sealing(admission=Admission.TICKET, session=b"session1", root=b"r" * 32)
SERIAL = b"serial01"


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


async def manifests_of_two_epochs() -> list[Manifest]:
    """What a viewer without the secret hears of a sealed stream, from its first epoch into its second."""
    source, viewer = loopback(1), loopback(2)
    await source.start()
    await viewer.start()
    manifests: list[Manifest] = []
    heard = {7: asyncio.Event(), 8: asyncio.Event()}

    def hear(item: News) -> None:
        if isinstance(item, ManifestReady):
            manifests.append(item.manifest)
            heard[item.manifest.epoch].set()

    try:
        viewer.join(Link(STREAM, "", source.addresses), 0, hear)
        for epoch, arrived in heard.items():
            source.broadcast(OWNER, title="Secret", epoch=epoch, renditions=(RENDITION,), sealing=SEALING)
            await arrived.wait()
        return manifests
    finally:
        await viewer.stop()
        await source.stop()


def test_no_manifest_of_a_sealed_stream_goes_out_open() -> None:
    manifests = asyncio.run(manifests_of_two_epochs())
    assert [manifest.epoch for manifest in manifests] == [7, 8]
    for manifest in manifests:
        assert manifest.lock is not None
        assert "Secret" not in manifest.title


def test_a_new_epoch_keeps_the_tickets_that_were_revoked() -> None:
    async def revoked() -> tuple[bytes, ...]:
        source = loopback(1)
        await source.start()
        try:
            source.broadcast(OWNER, title="Secret", epoch=7, renditions=(RENDITION,), sealing=SEALING)
            source.revoke_tickets(STREAM, [SERIAL])
            source.broadcast(OWNER, title="Secret", epoch=8, renditions=(RENDITION,), sealing=SEALING)
            sealer = source._run(lambda node, _: node.members.keyring(STREAM).sealer)
            return sealer.revoked if sealer is not None else ()
        finally:
            await source.stop()

    assert asyncio.run(revoked()) == (SERIAL,)


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
