"""Takes what a broadcast makes on air: each piece goes to the swarm at once, and into this gateway's own window.

Broadcast -> OnAir -> node: code, hash, sign, send
                  `-> the channel's live window
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from gateway.channel import Channel
from gateway.channels import Channels
from gateway.coding_choice import coding_for
from gateway.ingest.slicer import SlicedPiece
from gateway.media.description import Rendition
from gateway.membership import Hear
from gateway.stream_seals import StreamSeal, seal_of
from gateway.webhooks import Event
from swarm.events import News, PieceReady, StreamBuried
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.pieces import SignedPiece
from swarm.sealer import ROTATION_S, Sealing
from swarm.sealing import Admission
from swarm.units import StreamId


class Transmitter(Protocol):
    """What a broadcast needs of the swarm."""

    def broadcast(
        self,
        owner: Identity,
        *,
        title: str,
        epoch: int,
        renditions: tuple[RenditionInfo, ...],
        sealing: Sealing | None = None,
    ) -> None: ...

    def listen(self, stream: StreamId, hear: Hear) -> None: ...

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
    ) -> SignedPiece: ...

    def leave(self, stream: StreamId) -> None: ...

    def revoke_tickets(self, stream: StreamId, serials: Collection[bytes]) -> None: ...


Revoked = Callable[[StreamId], frozenset[bytes]]
"""The serials of a stream's tickets that get no key any more."""


class OnAir:
    """One stream that is broadcast from here: the sink of its broadcast, through all its epochs.

    What a single rendition takes is asked of ``bitrate_bps`` once an epoch; a ladder names its own rates. The coding
    follows from them and stays, because stripes depend on it.
    """

    def __init__(
        self,
        swarm: Transmitter,
        channel: Channel,
        owner: Identity,
        bitrate_bps: Callable[[], float],
        tell: Callable[[Event, Channel], None],
        *,
        seal: StreamSeal | None = None,
        revoked: Revoked = lambda _: frozenset(),
    ) -> None:
        self.channel = channel
        self.seal = seal
        """How the next epoch is sealed; None: it is open to all."""
        self.started = asyncio.Event()
        """Set with the first piece."""
        self.buried = asyncio.Event()
        """Set when the stream is ended for good; pieces that come after that go nowhere."""

        self._swarm = swarm
        self._owner = owner
        self._bitrate_bps = bitrate_bps
        self._tell = tell
        self._revoked = revoked
        self._revoked_told: frozenset[bytes] = frozenset()
        self._epoch = -1
        self._sealing: Sealing | None = None
        self._rates_bps: list[int] = []
        self._told = False

    def description(self, epoch: int, renditions: tuple[Rendition, ...]) -> None:
        """A new epoch, or new descriptions of this one. Raises MediaError when they do not fit into a manifest."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._sealing = self.seal.fresh() if self.seal is not None else None
            self._revoked_told = frozenset()
            self._rates_bps = [rendition.bitrate_bps for rendition in renditions]
            if len(renditions) == 1:
                self._rates_bps = [round(self._bitrate_bps())]
        infos = tuple(
            _info(number, rendition, bitrate_bps)
            for number, (rendition, bitrate_bps) in enumerate(zip(renditions, self._rates_bps, strict=True))
        )
        self._swarm.listen(self.channel.stream, self._hear)
        self._swarm.broadcast(
            self._owner, title=self.channel.title, epoch=epoch, renditions=infos, sealing=self._sealing
        )
        if self._sealing is not None:
            self.channel.take_keys()
        self.channel.describe(epoch, infos)

    def piece(self, piece: SlicedPiece) -> None:
        """The next piece; the swarm first, because others wait for it longer."""
        if self.buried.is_set():
            return
        self._revoke()
        signed = [
            self._swarm.publish(
                self.channel.stream,
                rendition,
                payload,
                number=piece.number,
                key=piece.key,
                capture_us=piece.capture_us,
                duration_us=piece.duration_us,
            )
            for rendition, payload in enumerate(piece.payloads)
        ]
        for rendition, (payload, (header, sent)) in enumerate(zip(piece.payloads, signed, strict=True)):
            self.channel.add_piece(
                PieceReady(
                    stream=self.channel.stream,
                    rendition=rendition,
                    epoch=piece.epoch,
                    number=piece.number,
                    key=piece.key,
                    capture_us=piece.capture_us,
                    duration_us=piece.duration_us,
                    payload=payload,
                    header=header,
                    sealed=b"" if self._sealing is None else sent,
                )
            )
        if not self._told:
            self._told = True
            self._tell("started", self.channel)
        self.started.set()

    def _revoke(self) -> None:
        """Take back the tickets that the owner has taken back since the last piece."""
        if self._sealing is None or self._sealing.admission is not Admission.TICKET:
            return
        revoked = self._revoked(self.channel.stream)
        if revoked != self._revoked_told:
            self._swarm.revoke_tickets(self.channel.stream, revoked)
            self._revoked_told = revoked

    def _hear(self, news: News) -> None:
        """What the swarm has to tell of a stream that is broadcast from here: its end, and what neighbours want."""
        if isinstance(news, StreamBuried):
            self.channel.hear(news)
            self.buried.set()
        else:
            self.channel.hear_neighbours(news)

    def ended(self) -> None:
        """Nothing more comes, until another epoch begins."""
        self._epoch = -1
        if self._told:
            self._told = False
            self._tell("ended", self.channel)
        self._swarm.leave(self.channel.stream)
        self.channel.end()


def _info(number: int, rendition: Rendition, bitrate_bps: int) -> RenditionInfo:
    """What the manifest says of a rendition."""
    part_s = rendition.media.part_target_s
    k, n = coding_for(bitrate_bps, part_s)
    return RenditionInfo(
        number=number,
        name=rendition.name,
        bitrate_bps=bitrate_bps,
        piece_us=round(part_s * 1e6),
        k=k,
        n=n,
        media=rendition.media.to_bytes(),
    )


class Studio:
    """Puts streams on air from this gateway."""

    def __init__(
        self,
        swarm: Transmitter,
        channels: Channels,
        tell: Callable[[Event, Channel], None] = lambda _event, _channel: None,
        *,
        rotation_s: int = ROTATION_S,
        revoked: Revoked = lambda _: frozenset(),
    ) -> None:
        """``tell`` is called when a broadcast begins and when it ends; a sealed stream's keys hold ``rotation_s``."""
        self._revoked = revoked
        self._swarm = swarm
        self._channels = channels
        self._tell = tell
        self.rotation_s = rotation_s

    def open(
        self, owner: Identity, title: str, bitrate_bps: Callable[[], float], *, admission: Admission | None = None
    ) -> OnAir:
        """A sink for a broadcast of the stream that ``owner`` is the key of; with an ``admission`` it is sealed.

        Raises Problem when there is no room, or the stream is refused.
        """
        seal = seal_of(owner, admission, self.rotation_s)
        channel = self._channels.add_local(StreamId(owner.key), title, seal.secret if seal is not None else "")
        return OnAir(self._swarm, channel, owner, bitrate_bps, self._tell, seal=seal, revoked=self._revoked)
