"""What can be broadcast, and how it is to be coded: values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.ingest.errors import InputUnreadable
from gateway.ladder import Rung

Coding = Literal["auto", "copy", "encode"]
"""``auto`` copies what every player can decode (H.264, AAC) and encodes the rest."""


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
    path: Path
    loop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSource:
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSource:
    """A camera of Video4Linux."""

    path: Path


Source = TestSource | SlateSource | FileSource | UrlSource | DeviceSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """The rhythm of the stream, with the hold-back that players are asked for, and the bitrates where it is encoded.

    With a ladder, the lowest rung first, the picture is encoded once for each rung. ``audio_rung``: the sound is sent
    alone too.
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

    @property
    def bitrate_bps(self) -> int:
        return self.video_bps + self.audio_bps


def parse_source(text: str, *, loop: bool = False) -> Source:
    """What a user means by ``text``: ``test``, a URL, a device or a file. Raises InputUnreadable."""
    if text == "test":
        return TestSource()
    if "://" in text:
        return UrlSource(url=text)
    path = Path(text)
    if path.is_char_device():
        return DeviceSource(path=path)
    if path.is_dir():
        raise InputUnreadable(f"{path} is a directory. Choose a video file in it.")
    if not path.exists():
        raise InputUnreadable(f"There is no file {path}. Check the path, or write 'test' for the test picture.")
    return FileSource(path=path, loop=loop)


def name_of(source: Source) -> str:
    """How messages call it."""
    match source:
        case TestSource():
            return "the test picture"
        case SlateSource():
            return "the slate"
        case UrlSource(url=url):
            return url
        case FileSource(path=path) | DeviceSource(path=path):
            return str(path)
