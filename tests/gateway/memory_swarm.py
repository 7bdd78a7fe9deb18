"""A swarm for tests of the gateway: real nodes joined in memory, on a virtual clock that the test moves."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from gateway.ingest.slicer import SlicedPiece
from gateway.media.payload import pack
from gateway.membership import Hear, open_with
from gateway.on_air import OnAir
from swarm.drivers.line import Line
from swarm.drivers.memory import Host, MemoryNet
from swarm.errors import LocalError
from swarm.events import News
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.past_keys import PastKeys
from swarm.pieces import SignedPiece
from swarm.sealer import Sealing
from swarm.settings import NodeSettings
from swarm.status import StreamStatus
from swarm.tracker_url import TrackerUrl
from swarm.units import Address, StreamId
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, Stream, slices

VIEWER_SECRET = b"v" * 32
"""Of the key that tickets for a host name."""


class MemorySwarm:
    """One host's place in the swarm: what ``gateway.membership`` is over QUIC."""

    def __init__(self, net: MemoryNet, name: str) -> None:
        identity = Identity(name.encode().ljust(32, b"."))
        node = Node(
            identity=identity,
            settings=NodeSettings(keeps_past=True),
            rng=net.random(f"node/{name}"),
            wall_offset_s=CAPTURE_US / 1e6,
            now=net.now,
        )
        self.net = net
        self.host: Host = net.add(name, identity, node, Line())
        self.joined: list[tuple[StreamId, int]] = []
        """Every call of ``join``, in order."""
        self.trackers: tuple[TrackerUrl, ...] = ()
        self._heard = 0
        self._listeners: dict[StreamId, Hear] = {}

    @property
    def addresses(self) -> tuple[Address, ...]:
        return (self.host.address,)

    def join(self, link: Link, rendition: int, hear: Hear) -> None:
        self.joined.append((link.stream, rendition))
        self._listeners[link.stream] = hear
        with suppress(LocalError):
            self.net.call(self.host, lambda node, _: open_with(link, node, lambda: VIEWER_SECRET))
        self.net.call(self.host, lambda node, now: node.join(link.stream, rendition, link.peers, now))

    def leave(self, stream: StreamId, rendition: int | None = None) -> None:
        if rendition is None:
            self._listeners.pop(stream, None)
        self.net.call(self.host, lambda node, now: node.leave(stream, now, rendition))

    def status(self, stream: StreamId, rendition: int) -> StreamStatus | None:
        return self.host.node.status(stream, rendition)

    def broadcast(
        self,
        owner: Identity,
        *,
        title: str,
        epoch: int,
        renditions: tuple[RenditionInfo, ...],
        sealing: Sealing | None = None,
    ) -> None:
        self.net.call(
            self.host,
            lambda node, now: node.broadcast(
                owner, title=title, epoch=epoch, renditions=renditions, sealing=sealing, now=now
            ),
        )

    def revoke_tickets(self, stream: StreamId, serials: Collection[bytes]) -> None:
        self.net.call(self.host, lambda node, now: node.members.revoke(stream, serials, now))

    def listen(self, stream: StreamId, hear: Hear) -> None:
        self._listeners[stream] = hear

    def past_keys(self, stream: StreamId) -> PastKeys:
        return self.host.node.members.past_keys(stream)

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int]) -> None:
        self.net.call(self.host, lambda node, now: node.recall(stream, rendition, numbers, now))

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None) -> None:
        self.net.call(self.host, lambda node, now: node.lend(stream, rendition, number, record, now))

    def publish(
        self,
        stream: StreamId,
        rendition: int,
        payload: bytes,
        *,
        number: int,
        key: bool,
        capture_us: int,
        duration_us: int,
    ) -> SignedPiece:
        signed: list[SignedPiece] = []
        self.net.call(
            self.host,
            lambda node, now: signed.append(
                node.publish(
                    stream,
                    rendition,
                    payload,
                    number=number,
                    key=key,
                    capture_us=capture_us,
                    duration_us=duration_us,
                    now=now,
                )
            ),
        )
        return signed[0]

    def run_for(self, seconds: float) -> None:
        """Let time pass for everybody, and hand this host's news to who joined."""
        self.net.run_until(self.net.now + seconds)
        fresh = self.host.news[self._heard :]
        self._heard = len(self.host.news)
        for _, news in fresh:
            self._tell(news)

    def _tell(self, news: News) -> None:
        listener = self._listeners.get(news.stream)
        if listener is not None:
            listener(news)


def play(on_air: OnAir, film: Stream, number: int, *, epoch: int, payload: bytes | None = None) -> None:
    """Broadcast one piece of a film, by its number there."""
    content = slices(film)[number]
    on_air.piece(
        SlicedPiece(
            number=1000 + number,
            epoch=epoch,
            key=content.index == 0,
            capture_us=CAPTURE_US + number * PIECE_US,
            duration_us=PIECE_US,
            payloads=(pack(content) if payload is None else payload,),
        )
    )
