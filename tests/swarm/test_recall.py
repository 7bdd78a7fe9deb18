"""Going back: old pieces are fetched from neighbours that kept them, whatever others do, and live ones come first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from swarm.drivers.line import Line
from swarm.drivers.memory import Host, MemoryNet
from swarm.events import PieceGone, PieceReady, PieceRecalled, PieceWanted
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.recall import WANTED_MAX
from swarm.settings import NodeSettings
from swarm.units import StreamId
from swarm.window import PIECES_MAX

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)
RENDITION = RenditionInfo(number=0, name="main", bitrate_bps=400_000, piece_us=200_000, k=4, n=6, media=b"")
OLD = PIECES_MAX + 60
"""Pieces on air before the latecomer joins."""

Spoil = Callable[[bytes], bytes | None]


def payload(number: int) -> bytes:
    return number.to_bytes(4, "big") * 2500


@dataclass
class Keeper:
    """A host whose application keeps all pieces, and lends what ``spoil`` makes of them."""

    host: Host
    spoil: Spoil = bytes
    kept: dict[int, bytes] = field(default_factory=dict)
    read: int = 0


class Scene:
    """A broadcast of ten seconds and more, viewers that keep it, and one that comes late."""

    def __init__(self, *, viewers: int = 3, spoil: dict[int, Spoil] | None = None, line: Line | None = None) -> None:
        self.net = MemoryNet("recall")
        self.line = line or Line(uplink_bps=20e6)
        self.source = self._host("source")
        self.net.call(
            self.source, lambda node, now: node.broadcast(OWNER, title="", epoch=1, renditions=(RENDITION,), now=now)
        )
        self.keepers = [Keeper(self._host(f"viewer {n}"), spoil=(spoil or {}).get(n, bytes)) for n in range(viewers)]
        for keeper in self.keepers:
            self._join(keeper.host)
        self.published = 0
        self.run(OLD)
        self.late = self._host("late")
        self._join(self.late)
        self.run(20)

    def run(self, pieces: int) -> None:
        """So many more pieces, and what applications do meanwhile."""
        for _ in range(pieces):
            self.published += 1
            self.net.call(self.source, partial(self._publish, self.published))
            until_s = self.net.now + 0.2
            while self.net.now < until_s:
                self.net.run_until(self.net.now + 0.02)
                for keeper in self.keepers:
                    self._keep(keeper)

    def recall(self, *numbers: int) -> None:
        self.net.call(self.late, lambda node, now: node.recall(STREAM, 0, numbers, now))

    def recalled(self) -> dict[int, PieceReady]:
        return {n.piece.number: n.piece for _, n in self.late.news if isinstance(n, PieceRecalled)}

    def gone(self) -> list[int]:
        return [n.number for _, n in self.late.news if isinstance(n, PieceGone)]

    def _keep(self, keeper: Keeper) -> None:
        news = [news for _, news in keeper.host.news[keeper.read :]]
        keeper.read += len(news)
        for item in news:
            if isinstance(item, PieceReady):
                keeper.kept[item.number] = item.header + item.payload
            elif isinstance(item, PieceWanted):
                kept = keeper.kept.get(item.number)
                record = keeper.spoil(kept) if kept is not None else None
                self.net.call(keeper.host, partial(_lend, item.number, record))

    def _publish(self, number: int, node: Node, now: float) -> None:
        capture_us = int((now + 1e9) * 1e6) - 200_000
        node.publish(
            STREAM, 0, payload(number), number=number, key=True, capture_us=capture_us, duration_us=200_000, now=now
        )

    def _join(self, host: Host) -> None:
        self.net.call(host, lambda node, now: node.join(STREAM, 0, (self.source.address,), now))

    def _host(self, name: str) -> Host:
        identity = Identity(self.net.random(f"key/{name}").randbytes(32))
        settings = NodeSettings(keeps_past=name.startswith("viewer"))
        node = Node(
            identity=identity, settings=settings, rng=self.net.random(name), wall_offset_s=1e9, now=self.net.now
        )
        return self.net.add(name, identity, node, self.line)


def _lend(number: int, record: bytes | None, node: Node, now: float) -> None:
    node.lend(STREAM, 0, number, record, now)


def test_a_latecomer_gets_what_was_before_it_as_the_source_signed_it() -> None:
    scene = Scene()
    assert scene.late.news
    scene.recall(*range(20, 50))
    scene.run(60)
    recalled = scene.recalled()
    assert sorted(recalled) == list(range(20, 50))
    assert all(piece.payload == payload(number) for number, piece in recalled.items())
    assert all(piece.header + piece.payload == scene.keepers[0].kept[n] for n, piece in recalled.items())
    assert scene.gone() == []


def test_what_nobody_has_is_told_and_not_waited_for_without_end() -> None:
    scene = Scene()
    for keeper in scene.keepers:
        keeper.kept.clear()
    scene.recall(20, 21)
    scene.run(30)
    assert scene.gone() == [20, 21]
    assert scene.recalled() == {}


def altered(record: bytes) -> bytes:
    return record[:-1] + bytes([record[-1] ^ 1])


@pytest.mark.parametrize("spoil", [altered, lambda record: b"", lambda record: record[:50], lambda _: None])
def test_keepers_that_lend_something_else_only_cost_time(spoil: Spoil) -> None:
    scene = Scene(spoil={0: spoil, 1: spoil})
    scene.recall(20, 21, 22, 23)
    scene.run(60)
    assert sorted(scene.recalled()) == [20, 21, 22, 23]
    assert all(piece.payload == payload(number) for number, piece in scene.recalled().items())


def test_live_pieces_come_as_soon_as_without_anybody_going_back() -> None:
    delays = []
    for wanted in (0, WANTED_MAX):
        scene = Scene(line=Line(uplink_bps=3e6))
        began_s = scene.net.now
        scene.recall(*range(1, wanted + 1))
        scene.run(60)
        live = [
            at - (item.capture_us / 1e6 - 1e9)
            for keeper in scene.keepers
            for at, item in keeper.host.news
            if isinstance(item, PieceReady) and at > began_s
        ]
        assert len(live) >= 3 * 58
        delays.append(sorted(live)[int(0.99 * len(live))])
        assert bool(scene.recalled()) == bool(wanted)
    assert delays[1] < delays[0] + 0.1


def test_no_more_is_wanted_at_a_time_than_can_be_kept() -> None:
    scene = Scene()
    scene.recall(*range(1, 10 * WANTED_MAX))
    scene.run(400)
    assert len(scene.recalled()) <= WANTED_MAX
