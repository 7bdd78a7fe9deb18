"""FLV (Adobe's Video File Format 10.1, annex E): what RTMP's messages become, and what a stream's head says is in it.

Codecs beyond the old list are named by four letters, as Enhanced RTMP (Veovera, v2) has it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.ingest import amf
from gateway.ingest.ffmpeg import LIBAVFORMAT_MIN
from gateway.ingest.probe import InputAudio, InputInfo, InputVideo
from gateway.media.errors import MediaError, NoVideo

SIGNATURE = b"FLV"
HEADER = SIGNATURE + struct.pack(">BBI", 1, 0x05, 9) + bytes(4)
HEADER_BYTES = len(HEADER)
HAS_VIDEO, HAS_AUDIO = 0x01, 0x04
TAG_HEADER_BYTES = 11
SIZE_AFTER_BYTES = 4

AUDIO, VIDEO, SCRIPT = 8, 9, 18
TAGS = (AUDIO, VIDEO, SCRIPT)

KEY_FRAME = 1
VIDEO_CODECS = {2: "flv1", 4: "vp6f", 5: "vp6a", 7: "h264", 12: "hevc"}
AUDIO_CODECS = {1: "adpcm_swf", 2: "mp3", 3: "pcm_s16le", 5: "nellymoser", 6: "nellymoser", 10: "aac", 11: "speex"}
FOUR_LETTERS = {
    b"avc1": "h264",
    b"hvc1": "hevc",
    b"av01": "av1",
    b"vp09": "vp9",
    b"mp4a": "aac",
    b"Opus": "opus",
    b"ac-3": "ac3",
    b"ec-3": "eac3",
}
ENHANCED_PICTURES = ("hevc", "av1", "vp9")
ENHANCED_SOUNDS = ("opus", "ac3", "eac3")
ENHANCED_VIDEO = 0x80
ENHANCED_AUDIO = 9

LOOK_MS = 1_000
"""A track that has not begun by then is not waited for."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag; ``time_ms`` is its decode time."""

    kind: int
    time_ms: int
    body: bytes

    @property
    def key(self) -> bool:
        """Whether it is a picture that can be decoded without those before."""
        if self.kind != VIDEO or len(self.body) < 2 or self.body[0] >> 4 & 7 != KEY_FRAME:
            return False
        first = self.body[0]
        if first & ENHANCED_VIDEO:
            return first & 0x0F in (1, 3)  # CodedFrames, CodedFramesX
        # AVC: 0 is a decoder's parameters, 2 the end of the sequence
        return first & 0x0F not in (7, 12) or self.body[1] == 1

    @property
    def setup(self) -> bool:
        """Whether it holds a decoder's parameters and no samples."""
        if len(self.body) < 2:
            return False
        first = self.body[0]
        if self.kind == VIDEO:
            return first & 0x0F == 0 if first & ENHANCED_VIDEO else first & 0x0F in (7, 12) and self.body[1] == 0
        if self.kind == AUDIO:
            return first & 0x0F == 0 if first >> 4 == ENHANCED_AUDIO else first >> 4 == 10 and self.body[1] == 0
        return False


def write_tag(kind: int, time_ms: int, body: bytes) -> bytes:
    """One tag with the size that stands after it."""
    time_ms &= 0xFFFFFFFF
    head = struct.pack(">I", kind << 24 | len(body)) + struct.pack(">I", (time_ms & 0xFFFFFF) << 8 | time_ms >> 24)
    return head + bytes(3) + body + struct.pack(">I", TAG_HEADER_BYTES + len(body))


def read_tags(data: bytes | memoryview, at: int = HEADER_BYTES) -> Iterator[tuple[Tag, int]]:
    """Each whole tag with the position after it. Raises MediaError."""
    while len(data) - at >= TAG_HEADER_BYTES:
        kind = data[at] & 0x1F
        size = int.from_bytes(data[at + 1 : at + 4])
        time_ms = int.from_bytes(data[at + 4 : at + 7]) | data[at + 7] << 24
        if kind not in TAGS:
            raise MediaError("This FLV is damaged: a tag of an unknown kind.")
        end = at + TAG_HEADER_BYTES + size
        if len(data) < end + SIZE_AFTER_BYTES:
            return
        at = end + SIZE_AFTER_BYTES
        yield Tag(kind, time_ms, bytes(data[end - size : end])), at


def read_contents(head: bytes) -> InputInfo | None:
    """What the head of a stream says of its tracks; None when it must be longer. Raises MediaError, NoVideo."""
    metadata: dict[str, amf.Value] = {}
    video: str | None = None
    audio: str | None = None
    first_ms: int | None = None
    for tag, _ in read_tags(head):
        if tag.kind == SCRIPT:
            metadata = read_metadata(tag.body) or metadata
            continue
        if tag.kind == VIDEO and tag.body:
            video = video or _video_codec(tag.body)
        elif tag.kind == AUDIO and tag.body:
            audio = audio or _audio_codec(tag.body)
        first_ms = tag.time_ms if first_ms is None else first_ms
        looked = tag.time_ms - first_ms > LOOK_MS
        if (video or (metadata and "videocodecid" not in metadata) or looked) and (
            audio or (metadata and "audiocodecid" not in metadata) or looked
        ):
            return _info(video, audio, metadata)
    return None


def least_version(info: InputInfo) -> tuple[int, int]:
    """The libavformat that reads these codecs: ffmpeg 5.1 knows the old list alone, 6.1 pictures, 8.0 sound by four
    letters."""
    if any(audio.codec in ENHANCED_SOUNDS for audio in info.audios):
        return (62, 0)
    if info.video is not None and info.video.codec in ENHANCED_PICTURES:
        return (60, 16)
    return LIBAVFORMAT_MIN


def announce(head: bytes, info: InputInfo) -> bytes:
    """The head with the tracks that will come in its header: ffmpeg waits for those, and for no others."""
    tracks = (HAS_VIDEO if info.video else 0) | (HAS_AUDIO if info.audios else 0)
    return head[:4] + bytes([tracks]) + head[5:]


def read_metadata(body: bytes) -> dict[str, amf.Value]:
    """A script tag's `onMetaData`; empty when it is something else or damaged."""
    try:
        values = amf.read_values(body)
    except MediaError:
        return {}
    if len(values) >= 2 and values[0] == "onMetaData" and isinstance(values[1], dict):
        return values[1]
    return {}


def _info(video: str | None, audio: str | None, metadata: dict[str, amf.Value]) -> InputInfo:
    if video is None and audio is None:
        raise NoVideo("There is neither picture nor sound in this push. Send one of them.")
    rates = [rate for name in ("videodatarate", "audiodatarate") if isinstance(rate := metadata.get(name), float)]
    return InputInfo(
        video=_video(video, metadata) if video else None,
        audios=(InputAudio(codec=audio),) if audio else (),
        bitrate_bps=round(sum(rates) * 1000) if rates and 0 < sum(rates) < 1e6 else None,
    )


def _video(codec: str, metadata: dict[str, amf.Value]) -> InputVideo:
    fps = metadata.get("framerate")
    return InputVideo(codec=codec, fps=fps if isinstance(fps, float) and 1 <= fps <= 240 else None)


def _video_codec(body: bytes) -> str:
    if body[0] & ENHANCED_VIDEO:
        return FOUR_LETTERS.get(body[1:5], "unknown")
    return VIDEO_CODECS.get(body[0] & 0x0F, "unknown")


def _audio_codec(body: bytes) -> str:
    if body[0] >> 4 == ENHANCED_AUDIO:
        return FOUR_LETTERS.get(body[1:5], "unknown")
    return AUDIO_CODECS.get(body[0] >> 4, "unknown")
