"""A simulated broadcast: one source, some viewers on lines of different kinds, the product's own nodes in between."""

from dataclasses import dataclass, field
from functools import lru_cache

from swarm.drivers.memory import Host, Line, MemoryNet
from swarm.events import PieceLost, PieceReady
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.pieces import PieceHeader, verify_header
from swarm.settings import NodeSettings
from swarm.units import Address, StreamId

WALL_S = 1_700_000_000.0
"""The wall clock at virtual second 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What is broadcast: bit/s, seconds a piece, coding, and pieces from one key frame to the next."""

    bitrate_bps: int = 1_500_000
    piece_s: float = 0.2
    k: int = 8
    n: int = 12
    key_every: int = 5


@lru_cache(maxsize=4096)
def _verified_once(header: PieceHeader, stream: StreamId) -> bool:
    """All hosts share one process: a signature is checked once for all of them."""
    return verify_header(header, stream)


@dataclass(slots=True)
class World:
    """A show on a net. ``published`` maps piece numbers to the time of the first frame's capture."""

    seed: int
    show: Show = field(default_factory=Show)
    settings: NodeSettings = field(default_factory=NodeSettings)
    net: MemoryNet = field(init=False)
    source: Host = field(init=False)
    owner: Identity = field(init=False)
    viewers: list[Host] = field(default_factory=list)
    published: dict[int, float] = field(default_factory=dict)
    payload_bytes: int = 0
    on_air: bool = True
    _number: int = 1000

    def __post_init__(self) -> None:
        self.net = MemoryNet(self.seed)
        self.owner = self._identity("owner")
        self.source = self._host("source", Line(uplink_bps=50e6))
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
            lambda node, now: node.broadcast(self.owner, title="show", epoch=1, renditions=(rendition,), now=now),
        )
        self.net.at(self.show.piece_s, self._publish)

    @property
    def stream(self) -> StreamId:
        return StreamId(self.owner.key)

    def add_viewer(self, line: Line | None = None, addresses: tuple[Address, ...] = ()) -> Host:
        """A viewer that joins now, knowing the source's address unless given others."""
        host = self._host(f"viewer{len(self.viewers)}", line or Line())
        self.viewers.append(host)
        known = addresses or (self.source.address,)
        self.net.call(host, lambda node, now: node.join(self.stream, 0, known, now))
        return host

    def run(self, seconds: float) -> None:
        self.net.run_until(self.net.now + seconds)

    def _identity(self, name: str) -> Identity:
        return Identity(self.net.random(f"key/{name}").randbytes(32))

    def _host(self, name: str, line: Line) -> Host:
        identity = self._identity(name)
        node = Node(
            identity=identity,
            settings=self.settings,
            rng=self.net.random(f"node/{name}"),
            wall_offset_s=WALL_S,
            now=self.net.now,
            verify=_verified_once,
        )
        return self.net.add(name, identity, node, line)

    def _publish(self) -> None:
        show, number = self.show, self._number
        self._number += 1
        self.net.at(self.net.now + show.piece_s, self._publish)
        if not self.on_air:
            return
        capture_s = self.net.now - show.piece_s
        size = int(show.bitrate_bps * show.piece_s / 8 * self.net.random(f"size/{number}").uniform(0.8, 1.2))
        payload = self.net.random(f"payload/{number}").randbytes(size)
        self.published[number] = capture_s
        self.payload_bytes += size
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
