"""What the tests here share: a listener that keeps what goes on air, and looks into what it kept."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.ingest.broadcast import Broadcast
from gateway.ingest.clock_code import read_clock
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.slicer import SlicedPiece
from gateway.ingest.sources import Encoding, Source
from gateway.media.description import MediaDescription, Rendition
from gateway.media.parts import InitSegment
from gateway.media.payload import PieceSlice, unpack
from gateway.media.splitter import PartSplitter

WAIT_S = 30.0
"""Only a broken test waits for so long."""
DECODE = ("-map", "0:v", "-fps_mode", "passthrough")


@dataclass
class Listener:
    """A sink that remembers, and lets a test wait for what it needs."""

    renditions: list[tuple[Rendition, ...]] = field(default_factory=list)
    descriptions: list[tuple[int, MediaDescription]] = field(default_factory=list)
    pieces: list[SlicedPiece] = field(default_factory=list)
    came_us: list[int] = field(default_factory=list)
    ends: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def description(self, epoch: int, renditions: tuple[Rendition, ...]) -> None:
        self.renditions.append(renditions)
        self.descriptions.append((epoch, renditions[0].media))
        self._changed.set()

    def piece(self, piece: SlicedPiece) -> None:
        self.pieces.append(piece)
        self.came_us.append(time.time_ns() // 1000)
        self._changed.set()

    def ended(self) -> None:
        self.ends += 1
        self._changed.set()

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not enough():
                self._changed.clear()
                await self._changed.wait()

    async def until_pieces(self, count: int) -> None:
        await self.until(lambda: len(self.pieces) >= count)

    @property
    def contents(self) -> list[PieceSlice]:
        return [unpack(piece.payloads[0]) for piece in self.pieces]

    @property
    def init(self) -> InitSegment:
        (event,) = PartSplitter().feed(self.descriptions[0][1].init)
        assert isinstance(event, InitSegment)
        return event

    def film(self, rendition: int = 0) -> bytes:
        """The first epoch of a rendition as a file that ffmpeg can read."""
        first = self.pieces[0].epoch
        parts = (unpack(piece.payloads[rendition]).parts for piece in self.pieces if piece.epoch == first)
        init = self.renditions[0][rendition].media.init
        return init + b"".join(bytes(part.data) for parts_ in parts for part in parts_)


def numbering() -> Numbering:
    return Numbering(unix_s=time.time(), piece_s=0.2, segment_s=1.0)


def pictures(tool: Ffmpeg, film: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """Each decoded frame in gray."""
    answer = subprocess.run(
        [tool.path, "-v", "error", "-i", "-", *DECODE, "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        input=film,
        capture_output=True,
        check=True,
    )
    return np.frombuffer(answer.stdout, dtype=np.uint8).reshape(-1, height, width)


def clocks(tool: Ffmpeg, film: bytes, width: int, height: int) -> list[int | None]:
    """What the machine-readable clock says in each decoded frame."""
    return [read_clock(frame) for frame in pictures(tool, film, width, height)]


def hashes(tool: Ffmpeg, source: str, *, film: bytes | None = None) -> list[str]:
    """The hash of each decoded picture, in order."""
    answer = subprocess.run(
        [tool.path, "-v", "error", "-i", source, *DECODE, "-f", "framehash", "-"],
        input=film or b"",
        capture_output=True,
        check=True,
    )
    lines = answer.stdout.decode().splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


def cast_of(tool: Ffmpeg, source: Source, listener: Listener, encoding: Encoding) -> Broadcast:
    """A broadcast that the listener hears, not yet running."""
    return Broadcast(
        source,
        ffmpeg=tool,
        encoding=encoding,
        numbering=numbering(),
        on_description=listener.description,
        on_piece=listener.piece,
    )
