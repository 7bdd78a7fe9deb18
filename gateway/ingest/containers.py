"""What a push may come as: which container it is, what its head says is in it, and how ffmpeg is told to read it."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.ingest import flv, fragmented, transport_stream
from gateway.ingest.ffmpeg import LIBAVFORMAT_MIN
from gateway.ingest.probe import InputInfo


def _unchanged(head: bytes, _: InputInfo) -> bytes:
    return head


def _any_version(_: InputInfo) -> tuple[int, int]:
    return LIBAVFORMAT_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """``demuxer`` is ffmpeg's name. ``read_contents`` gives None as long as the head is too short, and raises

    PushRefused or MediaError when nothing can come of it; ``prepare`` makes the head ready for ffmpeg, of which
    ``least_version`` tells the least libavformat that reads such contents.
    """

    demuxer: str
    read_contents: Callable[[bytes], InputInfo | None]
    prepare: Callable[[bytes, InputInfo], bytes] = _unchanged
    least_version: Callable[[InputInfo], tuple[int, int]] = _any_version


TRANSPORT_STREAM = Container(demuxer="mpegts", read_contents=transport_stream.read_contents)
FLV = Container(demuxer="flv", read_contents=flv.read_contents, prepare=flv.announce, least_version=flv.least_version)

FRAGMENTED_MP4 = Container(demuxer="mp4", read_contents=fragmented.read_contents)

SIGNATURES = ((flv.SIGNATURE, 0, FLV), *((kind, 4, FRAGMENTED_MP4) for kind in fragmented.FILE_TYPES))
SIGNATURE_BYTES = 8


def container_of(head: bytes) -> Container | None:
    """What the first bytes belong to; None when there are too few. What is nothing else is read as MPEG-TS."""
    if len(head) < SIGNATURE_BYTES and head[:1] != bytes([transport_stream.SYNC]):
        return None
    for signature, at, container in SIGNATURES:
        if head[at : at + len(signature)] == signature:
            return container
    return TRANSPORT_STREAM
