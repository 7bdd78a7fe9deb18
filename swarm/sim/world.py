"""A simulated broadcast: one source, viewers on lines of many kinds, the product's own nodes in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from swarm.drivers.line import Line
from swarm.drivers.memory import Host, MemoryNet
from swarm.events import PieceLost, PieceReady
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.reading import Reader
from swarm.sealer import Sealing
from swarm.settings import NodeSettings
from swarm.sim.reader import SharedReader
from swarm.units import Address, StreamId

WALL_S = 1_700_000_000.0
"""The wall clock at virtual second 0."""

TRACKED = 20
"""Addresses that a tracker gives to a newcomer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What is broadcast: bit/s, seconds a piece, coding, and pieces from one key frame to the next."""

    bitrate_bps: int = 1_500_000
    piece_s: float = 0.2
    k: int = 8
    n: int = 12
    key_every: int = 5


@dataclass(slots=True)
class World:
    """A show on a net.

    ``published`` maps piece numbers to the time of the first frame's capture, ``epochs`` to their epoch.
    """

    seed: int
    show: Show = field(default_factory=Show)
    settings: NodeSettings = field(default_factory=NodeSettings)
    source_line: Line = field(default_factory=lambda: Line(uplink_bps=50e6))
    source_house: int = 0
    net: MemoryNet = field(init=False)
    source: Host = field(init=False)
    owner: Identity = field(init=False)
    reader: Reader = field(default_factory=SharedReader)
    sealing: Sealing | None = None
    viewers: list[Host] = field(default_factory=list)
    joined_s: dict[str, float] = field(default_factory=dict)
    published: dict[int, float] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
    payload_bytes: int = 0
    on_air: bool = True
    epoch: int = 1
    _number: int = 1000

    def __post_init__(self) -> None:
        self.net = MemoryNet(self.seed)
        self.owner = self._identity("owner")
        self.source = self._host("source", self.source_line, self.settings, self.source_house)
        self.broadcast()
        self.net.at(self.show.piece_s, self._publish)

    @property
    def stream(self) -> StreamId:
        return StreamId(self.owner.key)

    def broadcast(self) -> None:
        """Put the show on air in the current epoch."""
        rendition = RenditionInfo(
            number=0,
            name="main",
            bitrate_bps=self.show.bitrate_bps,
            piece_us=round(self.show.piece_s * 1e6),
            k=self.show.k,
            n=self.show.n,
            media=b"",
        )
        self.net.call(
            self.source,
            lambda node, now: node.broadcast(
                self.owner, title="show", epoch=self.epoch, renditions=(rendition,), now=now, sealing=self.sealing
            ),
        )

    def replace_source(self) -> None:
        """A new machine goes on with the same key and a new epoch; the old one is dead."""
        self.epoch += 1
        self.source = self._host(f"source{self.epoch}", self.source_line, self.settings)
        self.broadcast()

    def add_viewer(
        self,
        line: Line | None = None,
        addresses: Sequence[Address] = (),
        settings: NodeSettings | None = None,
        house: int = 0,
    ) -> Host:
        """A viewer that joins now, knowing the source's address unless given others."""
        host = self._host(f"viewer{len(self.viewers)}", line or Line(), settings or self.settings, house)
        self.viewers.append(host)
        self.joined_s[host.name] = self.net.now
        self.join(host, addresses or (self.source.address,))
        return host

    def join(self, host: Host, addresses: Sequence[Address]) -> None:
        """Tell a viewer of these addresses."""
        self.net.call(host, lambda node, now: node.join(self.stream, 0, addresses, now))

    def tracked(self, rng: Random) -> list[Address]:
        """What a tracker tells a newcomer: some members, and now and then the source, as it happens."""
        members = [host.address for host in (self.source, *self.viewers) if host.alive]
        return rng.sample(members, min(TRACKED, len(members)))

    def tell_of_source(self, rng: Random) -> None:
        """Some viewers learn where the source is now, as from a tracker or the DHT."""
        alive = [host for host in self.viewers if host.alive]
        for host in rng.sample(alive, min(TRACKED, len(alive))):
            self.join(host, (self.source.address,))

    def run(self, seconds: float) -> None:
        self.net.run_until(self.net.now + seconds)

    def payload(self, number: int) -> bytes:
        """The bytes of one piece."""
        mean = self.show.bitrate_bps * self.show.piece_s / 8
        size = int(mean * self.net.random(f"size/{number}").uniform(0.8, 1.2))
        return self.net.random(f"payload/{number}").randbytes(size)

    def _identity(self, name: str) -> Identity:
        return Identity(self.net.random(f"key/{name}").randbytes(32))

    def _host(self, name: str, line: Line, settings: NodeSettings, house: int = 0) -> Host:
        identity = self._identity(name)
        node = Node(
            identity=identity,
            settings=settings,
            rng=self.net.random(f"node/{name}"),
            wall_offset_s=WALL_S,
            now=self.net.now,
            reader=self.reader,
        )
        return self.net.add(name, identity, node, line, house)

    def _publish(self) -> None:
        show, number = self.show, self._number
        self._number += 1
        self.net.at(self.net.now + show.piece_s, self._publish)
        if not self.on_air:
            return
        capture_s = self.net.now - show.piece_s
        payload = self.payload(number)
        self.published[number] = capture_s
        self.epochs[number] = self.epoch
        self.payload_bytes += len(payload)
        self.net.call(
            self.source,
            lambda node, now: node.publish(
                self.stream,
                0,
                payload,
                number=number,
                key=number % show.key_every == 0,
                capture_us=int((capture_s + WALL_S) * 1e6),
                duration_us=round(show.piece_s * 1e6),
                now=now,
            ),
        )


def delays(world: World, host: Host) -> dict[int, float]:
    """Seconds from the capture of a piece's first frame to its being whole at a host, by number."""
    return {news.number: at - world.published[news.number] for at, news in host.news if isinstance(news, PieceReady)}


def losses(host: Host) -> list[int]:
    """The pieces that a host reported as lost and never got after all."""
    ready = {news.number for _, news in host.news if isinstance(news, PieceReady)}
    return [news.number for _, news in host.news if isinstance(news, PieceLost) and news.number not in ready]
