"""What can be broadcast, and how it is to be coded: values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.ingest.credentials import masked
from gateway.ladder import Rung

ANALYZE_S = 2.5
ANALYZE_S_MAX = 12.0
"""For inputs whose key frames are far apart."""

Coding = Literal["auto", "copy", "encode"]
"""``auto`` copies what players can decode and encodes the rest."""

COPY_CODECS = ("h264", "hevc", "av1", "aac", "ac3", "eac3", "opus")
"""What can be copied, by ffmpeg's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSource:
    """The test picture."""

    __test__ = False  # the name is the thing's own; it is no test case

    width: int = 640
    height: int = 360
    fps: int = 25
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlateSource:
    """A still picture in a file, for the time in which nobody pushes; it lasts until it is stopped."""

    picture: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """``begin_s``: where in the film to begin."""

    path: Path
    loop: bool = False
    begin_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSource:
    """``allow_private``: also into a private network, by itself or by what its server names. ``analyze_s``: for how
    long its beginning is looked at, which has to reach a key frame."""

    url: str
    allow_private: bool = False
    analyze_s: float = ANALYZE_S

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0].lower()

    @property
    def listens(self) -> bool:
        """Whether a sender is waited for at a port of this machine, in place of a server being called."""
        place, _, options = self.url.partition("://")[2].partition("?")
        if self.scheme == "srt":
            return "mode=listener" in options or place.startswith(":")
        return self.scheme == "tcp" and "listen" in options


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpSource:
    """RTP that comes to this machine, as a session description in a file tells (RFC 8866)."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMode:
    """What a camera is asked for: ffmpeg's name of the format, the size in pixels. ``raw``: it is not compressed."""

    format: str
    width: int
    height: int
    raw: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSource:
    """A camera by the system's name of it, "" for the first one; with a microphone, or silent where that is ""."""

    device: str = ""
    microphone: str = ""
    mode: CameraMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenSource:
    """What this machine's screen shows; "" is the user's own. With a microphone, or silent where that is ""."""

    display: str = ""
    microphone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """Films one after the other, by what the user named: files, folders, lists of files, URLs.

    ``loop``: begin again at the end. ``shuffle``: each round in an order of its own.
    """

    names: tuple[str, ...]
    loop: bool = False
    shuffle: bool = False
    allow_private: bool = False


LiveSource = UrlSource | SdpSource
DeviceSource = CameraSource | ScreenSource
OneSource = FileSource | LiveSource | DeviceSource
"""What one ffmpeg opens by its address."""

Source = TestSource | SlateSource | OneSource | ListSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The rhythm of the stream, with the hold-back that players are asked for, and the bitrates where it is encoded.

    With a ladder, the lowest rung first, the picture is encoded once for each rung. ``audio_rung``: the sound is sent
    alone too. ``copy_codecs`` are passed on as they are. ``encode_long_gop``: a picture with key frames further apart
    than a segment is encoded. ``encoder``: one of `gateway.ingest.encoders.NAMES`; ``auto`` is x264 until it is found
    out what there is.

    Two are for one input: ``encode_picture`` when its picture cannot stay as it is, ``skip_s`` is what of its beginning
    has been on air already. ``failed_encoder`` is the one in hardware in whose place x264 does the work, because it
    failed.
    """

    part_s: float = 0.2
    segment_s: float = 1.0
    hold_back_s: float = 0.0
    video_bps: int = 2_500_000
    audio_bps: int = 128_000
    preset: str = "veryfast"
    coding: Coding = "auto"
    ladder: tuple[Rung, ...] = ()
    audio_rung: bool = False
    copy_codecs: tuple[str, ...] = COPY_CODECS
    encode_long_gop: bool = False
    encoder: str = "software"
    failed_encoder: str = ""
    encode_picture: bool = False
    skip_s: float = 0.0

    @property
    def bitrate_bps(self) -> int:
        return self.video_bps + self.audio_bps


def name_of(source: Source) -> str:
    """How messages call it; without the passwords in it."""
    match source:
        case UrlSource(url=url):
            return masked(url)
        case CameraSource(device=device):
            return device or "the camera"
        case ListSource(names=names):
            return masked(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        case FileSource(path=path) | SdpSource(path=path):
            return str(path)
    return _NAMES[type(source)]


_NAMES = {TestSource: "the test picture", SlateSource: "the slate", ScreenSource: "the screen"}
