"""Peers of last time: handed on when a stream is opened, noted each minute and at the end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from swarm.discovery.finder import Sought
from swarm.discovery.memory import Memory
from swarm.discovery.remembered import Remembered
from swarm.units import Address, StreamId

STREAM = StreamId(b"s" * 32)
OTHER = StreamId(b"t" * 32)
MINE, ONE, TWO = (Address("192.0.2.7", port) for port in (4000, 4001, 4002))


class Peer:
    addresses = (MINE,)

    def __init__(self, *neighbours: Address) -> None:
        self.here = neighbours
        self.known: list[Address] = []
        self.asked = asyncio.Event()

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        self.known += addresses

    def is_lonely(self, stream: StreamId) -> bool:
        return not self.here

    def neighbours(self, stream: StreamId) -> Sequence[Address]:
        self.asked.set()
        return self.here

    def relays(self, stream: StreamId) -> Sequence[Address]:
        return ()


async def watch(path: Path, *neighbours: Address, stream: StreamId = STREAM) -> Peer:
    peer = Peer(*neighbours)
    memory = Memory(peer, Remembered(path))
    memory.open(Sought(stream=stream))
    await memory.stop()
    return peer


def test_who_was_there_when_it_ended_is_found_at_the_next_start(tmp_path: Path) -> None:
    async def scene() -> list[Address]:
        await watch(tmp_path / "peers", ONE, MINE)
        return (await watch(tmp_path / "peers")).known

    assert asyncio.run(scene()) == [ONE]


def test_they_are_noted_while_it_is_watched_lest_a_crash_loses_them(tmp_path: Path) -> None:
    async def scene() -> list[Address]:
        peer = Peer(TWO)
        memory = Memory(peer, Remembered(tmp_path / "peers"), note_every_s=0.01)
        memory.open(Sought(stream=STREAM))
        await peer.asked.wait()
        peer.asked.clear()
        await peer.asked.wait()  # the second look comes after the first was written
        known = (await watch(tmp_path / "peers")).known
        await memory.stop()
        return known

    assert asyncio.run(scene()) == [TWO]


def test_what_two_processes_note_is_kept(tmp_path: Path) -> None:
    async def scene() -> tuple[list[Address], list[Address]]:
        one, other = Remembered(tmp_path / "peers"), Remembered(tmp_path / "peers")
        one.note(STREAM, [ONE])
        other.note(OTHER, [TWO])
        one.write()
        other.write()
        return (await watch(tmp_path / "peers")).known, (await watch(tmp_path / "peers", stream=OTHER)).known

    assert asyncio.run(scene()) == ([ONE], [TWO])


def test_nothing_is_written_where_nothing_was_watched(tmp_path: Path) -> None:
    async def scene() -> None:
        memory = Memory(Peer(ONE), Remembered(tmp_path / "peers"))
        assert memory.progress(STREAM) is None
        await memory.stop()

    asyncio.run(scene())
    assert not list(tmp_path.iterdir())
