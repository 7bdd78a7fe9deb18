"""Takes what a broadcast makes on air: each piece goes to the swarm at once, and into this gateway's own window.

Broadcast -> OnAir -> node: code, hash, sign, send
                  `-> the channel's live window
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.channels import Channel, Channels
from gateway.coding_choice import coding_for
from gateway.ingest.slicer import SlicedPiece
from gateway.media.description import MediaDescription
from gateway.membership import RENDITION
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.units import StreamId


class Transmitter(Protocol):
    """What a broadcast needs of the swarm."""

    def broadcast(self, owner: Identity, *, title: str, epoch: int, rendition: RenditionInfo) -> None: ...

    def publish(
        self, stream: StreamId, payload: bytes, *, number: int, key: bool, capture_us: int, duration_us: int
    ) -> None: ...

    def leave(self, stream: StreamId) -> None: ...


class OnAir:
    """One stream that is broadcast from here: the sink of its broadcast, through all its epochs.

    ``bitrate_bps`` is asked once an epoch; the coding follows from it and stays, because stripes depend on it.
    """

    def __init__(self, swarm: Transmitter, channel: Channel, owner: Identity, bitrate_bps: Callable[[], float]) -> None:
        self.channel = channel
        self.started = asyncio.Event()
        """Set with the first piece."""
        self._swarm = swarm
        self._owner = owner
        self._bitrate_bps = bitrate_bps
        self._epoch = -1
        self._announced_bps = 0
        self._coding = (0, 0)

    def description(self, epoch: int, description: MediaDescription) -> None:
        """A new epoch, or a new description of this one. Raises MediaError when it does not fit into a manifest."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._announced_bps = round(self._bitrate_bps())
            self._coding = coding_for(self._announced_bps, description.part_target_s)
        k, n = self._coding
        rendition = RenditionInfo(
            number=RENDITION,
            name="main",
            bitrate_bps=self._announced_bps,
            piece_us=round(description.part_target_s * 1e6),
            k=k,
            n=n,
            media=description.to_bytes(),
        )
        self._swarm.broadcast(self._owner, title=self.channel.title, epoch=epoch, rendition=rendition)
        self.channel.set_description(epoch, description)

    def piece(self, piece: SlicedPiece) -> None:
        """The next piece; the swarm first, because others wait for it longer."""
        self._swarm.publish(
            self.channel.stream,
            piece.payload,
            number=piece.number,
            key=piece.key,
            capture_us=piece.capture_us,
            duration_us=piece.duration_us,
        )
        self.channel.add_piece(piece.number, piece.epoch, piece.capture_us, piece.duration_us, piece.payload)
        self.started.set()

    def ended(self) -> None:
        """Nothing more comes, until another epoch begins."""
        self._epoch = -1
        self._swarm.leave(self.channel.stream)
        self.channel.end()


class Studio:
    """Puts streams on air from this gateway."""

    def __init__(self, swarm: Transmitter, channels: Channels) -> None:
        self._swarm = swarm
        self._channels = channels

    def open(self, owner: Identity, title: str, bitrate_bps: Callable[[], float]) -> OnAir:
        """A sink for a broadcast of the stream that ``owner`` is the key of. Raises Problem when there is no room."""
        channel = self._channels.add_local(StreamId(owner.key), title)
        return OnAir(self._swarm, channel, owner, bitrate_bps)
