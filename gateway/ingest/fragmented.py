"""What the head of a fragmented MP4 says of its tracks: `ftyp` and `moov` (ISO/IEC 14496-12)."""

from collections.abc import Sequence

from gateway.ingest.probe import AUDIOS_MAX, InputAudio, InputInfo, InputVideo
from gateway.media.boxes import read_header
from gateway.media.errors import CodecError, MediaError, NoVideo
from gateway.media.parts import TrackInfo
from gateway.media.splitter import BOX_BYTES_MAX, SKIPPED, next_box
from gateway.media.tracks import read_init

FILE_TYPES = (b"ftyp", b"styp")
CODECS = {
    "avc1": "h264",
    "avc3": "h264",
    "hvc1": "hevc",
    "hev1": "hevc",
    "av01": "av1",
    "vp09": "vp9",
    "mp4a": "aac",
    "opus": "opus",
    "ac-3": "ac3",
    "ec-3": "eac3",
}
"""By the first four letters of a codec string (RFC 6381)."""
FOREIGN = "unknown"


def read_contents(head: bytes) -> InputInfo | None:
    """What the tracks are; None when the head must be longer. Raises NoVideo, MediaError."""
    at = 0
    while (header := read_header(bytearray(head[at : at + 16]), 0, len(head) - at)) is not None:
        kind, _, size = header
        if size > BOX_BYTES_MAX or kind in (b"moof", b"mdat"):
            raise MediaError("This MP4 is not fragmented, or starts in the middle: write with -movflags +cmaf.")
        at += size
        if at > len(head):
            return None
        if kind == b"moov":
            return info_of(tracks_of(head[:at]))
    return None


def info_of(tracks: Sequence[TrackInfo]) -> InputInfo:
    """Raises NoVideo."""
    videos = [track for track in tracks if track.kind == "video"]
    sounds = [track for track in tracks if track.kind == "audio"][:AUDIOS_MAX]
    if not videos and not sounds:
        raise NoVideo("There is neither picture nor sound in this push. Send one of them.")
    return InputInfo(
        video=_video(videos[0]) if videos else None,
        audios=tuple(InputAudio(codec=_audio(track)) for track in sounds),
    )


def _video(track: TrackInfo) -> InputVideo:
    codec = CODECS.get(track.codec[:4], FOREIGN)
    return InputVideo(codec=codec, width=track.width, height=track.height)


def _audio(track: TrackInfo) -> str:
    """MPEG-4 audio is AAC, unless its object type says MP3 (0x69, 0x6B)."""
    return "mp3" if track.codec in ("mp4a.69", "mp4a.6B") else CODECS.get(track.codec[:4], FOREIGN)


def tracks_of(init: bytes) -> Sequence[TrackInfo]:
    """At least one. Raises MediaError."""
    try:
        return read_init(init).tracks
    except CodecError:
        # What HLS cannot carry is encoded anew; ffmpeg finds out what it is.
        return (TrackInfo(track=1, kind="video", codec=FOREIGN, timescale=1),)


class FragmentFilter:
    """Media segments, however they are cut, without the boxes that are made for files.

    A segment index in the middle of a stream has ffmpeg stop at the segment's end.
    """

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._kept = False

    def feed(self, data: bytes) -> bytes:
        """What of these bytes is for a decoder. Raises MediaError when a box is larger than it may be."""
        out = []
        data = self._head + data
        self._head = b""
        at = 0
        while at < len(data):
            if not self._left:
                if (box := next_box(data, at)) is None:
                    self._head = data[at:]
                    break
                kind, self._left = box
                self._kept = kind not in SKIPPED
            taken = data[at : at + self._left]
            if self._kept:
                out.append(taken)
            self._left -= len(taken)
            at += len(taken)
        return b"".join(out)
