"""Asking over UDP: lost, forged and late datagrams, and trackers that are not there."""

import asyncio
import struct
import time
from collections.abc import Callable
from random import Random
from typing import cast

import pytest

from swarm.discovery.announces import Announce, Answer, Counts
from swarm.discovery.udp_client import UdpClient
from swarm.errors import TrackerError
from swarm.units import Address

ANNOUNCE = Announce(target=bytes(20), peer_id=bytes(20), key=1, port=4000, is_source=False)
Reply = Callable[[bytes], list[bytes]]


class Tracker(asyncio.DatagramProtocol):
    """Answers each datagram by ``reply``, of which the first ``lost`` never arrive."""

    def __init__(self, reply: Reply, lost: int = 0) -> None:
        self.reply = reply
        self.lost = lost
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(data)
        if len(self.asked) > self.lost:
            for answer in self.reply(data):
                self.transport.sendto(answer, addr)


def action(data: bytes) -> tuple[int, int]:
    found: tuple[int, int] = struct.unpack_from(">II", data, 8)
    return found


def honest(data: bytes) -> list[bytes]:
    kind, transaction = action(data)
    bodies = {0: struct.pack(">Q", 77), 1: struct.pack(">III", 900, 3, 1), 2: struct.pack(">III", 1, 9, 3)}
    return [struct.pack(">II", kind, transaction) + bodies[kind]]


def run(tracker: Tracker, *asks: str, retry_s: tuple[float, ...] = (10.0,)) -> list[Answer | Counts]:
    async def ask() -> list[Answer | Counts]:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: tracker, local_addr=("127.0.0.1", 0)
        )
        at = Address(*transport.get_extra_info("sockname"))
        client = UdpClient(Random(1), time.monotonic, retry_s)
        try:
            return [
                await (client.scrape(at, bytes(20)) if what == "scrape" else client.announce(at, ANNOUNCE, ""))
                for what in asks
            ]
        finally:
            transport.close()

    return asyncio.run(ask())


def test_the_connection_is_made_once_and_used_while_it_is_good() -> None:
    tracker = Tracker(honest)
    answer, counts = run(tracker, "announce", "scrape")
    assert answer == Answer(interval_s=900, viewers=3, sources=1)
    assert counts == Counts(sources=1, viewers=3)
    assert [action(data)[0] for data in tracker.asked] == [0, 1, 2]
    assert all(struct.unpack_from(">Q", data)[0] == 77 for data in tracker.asked[1:])


def test_a_lost_datagram_is_sent_again() -> None:
    tracker = Tracker(honest, lost=1)
    answers = run(tracker, "announce", retry_s=(0.05, 10.0))
    assert answers == [Answer(interval_s=900, viewers=3, sources=1)]
    assert [action(data)[0] for data in tracker.asked][:3] == [0, 0, 1]


def test_what_answers_another_request_is_passed_over() -> None:
    def forged_first(data: bytes) -> list[bytes]:
        kind, transaction = action(data)
        return [b"", b"x" * 7, struct.pack(">IIQ", kind, transaction ^ 1, 666), bytes(9000), *honest(data)]

    assert run(Tracker(forged_first), "announce") == [Answer(interval_s=900, viewers=3, sources=1)]


def test_a_refusal_ends_it_and_the_connection_is_made_anew() -> None:
    def refuse(data: bytes) -> list[bytes]:
        kind, transaction = action(data)
        return honest(data) if kind == 0 else [struct.pack(">II", 3, transaction) + b"go away"]

    with pytest.raises(TrackerError, match="it says: go away"):
        run(Tracker(refuse), "announce")


def test_a_tracker_that_is_silent_is_given_up_after_few_datagrams() -> None:
    tracker = Tracker(lambda _: [])
    with pytest.raises(TrackerError, match="not answered within"):
        run(tracker, "announce", retry_s=(0.01, 0.01, 0.01))
    assert len(tracker.asked) == 3


def test_a_port_where_nobody_listens_is_said_at_once() -> None:
    async def ask() -> None:
        await UdpClient(Random(1), time.monotonic).announce(Address("127.0.0.1", 9), ANNOUNCE, "")

    with pytest.raises(TrackerError, match="nobody answers"):
        asyncio.run(ask())
