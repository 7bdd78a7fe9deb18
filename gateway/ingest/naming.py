"""What a user means by the names of inputs: words, URLs, files, folders."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.ingest.credentials import masked
from gateway.ingest.errors import InputUnreadable
from gateway.ingest.playlist import films_of, is_playlist
from gateway.ingest.sources import (
    CameraSource,
    FileSource,
    ListSource,
    ScreenSource,
    SdpSource,
    Source,
    TestSource,
    UrlSource,
)

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "rtp", "tcp")
LISTED = ("a file", "a folder", "a list of files", "a URL")


def parse_sources(
    names: Sequence[str],
    *,
    loop: bool = False,
    shuffle: bool = False,
    microphone: str = "",
    allow_private: bool = False,
) -> Source:
    """What a user means by one name or several, which are then played one after the other. Raises InputUnreadable.

    ``loop`` and ``shuffle`` are for films, ``microphone`` for cameras and the screen, ``allow_private`` for URLs.
    """
    first = _parse(names[0], microphone=microphone, allow_private=allow_private)
    listed = isinstance(first, ListSource)
    if len(names) > 1:
        for name in names:
            source = _parse(name, microphone=microphone, allow_private=allow_private)
            if not isinstance(source, FileSource | UrlSource | ListSource):
                raise InputUnreadable(f"{name} cannot be one of several inputs: each must be {', '.join(LISTED)}.")
        listed = True
    if listed:
        return ListSource(names=tuple(names), loop=loop, shuffle=shuffle, allow_private=allow_private)
    return FileSource(path=first.path, loop=loop) if isinstance(first, FileSource) else first


def parse_film(name: str, *, allow_private: bool = False) -> FileSource | UrlSource:
    """One film of a list: a URL or a path. Raises InputUnreadable."""
    if _is_url(name):
        return _parse_url(name, allow_private=allow_private)
    return FileSource(path=_path_of(name))


def films_named(name: str) -> list[str]:
    """The films that one of a list's names stands for, by paths and URLs. Raises InputUnreadable."""
    return [name] if _is_url(name) else films_of(_path_of(name))


def _parse(name: str, *, microphone: str, allow_private: bool) -> Source:
    if name == "test":
        return TestSource()
    if name == "screen":
        return ScreenSource(microphone=microphone)
    if name == "camera" or name.startswith("camera:"):
        return CameraSource(device=name.removeprefix("camera").removeprefix(":"), microphone=microphone)
    if _is_url(name):
        return _parse_url(name, allow_private=allow_private)
    path = _path_of(name)
    if path.is_char_device():
        return CameraSource(device=str(path), microphone=microphone)
    return _parse_path(path)


def _parse_path(path: Path) -> FileSource | SdpSource | ListSource:
    if not path.exists():
        raise InputUnreadable(f"There is no file {path}. Check the path, or write 'test' for the test picture.")
    if path.is_dir() or is_playlist(path):
        return ListSource(names=(str(path),))
    return SdpSource(path=path) if path.suffix.lower() == ".sdp" else FileSource(path=path)


def _is_url(name: str) -> bool:
    return "://" in name and not name.lower().startswith("file://")


def _path_of(name: str) -> Path:
    text = unquote(urlsplit(name).path) if name.lower().startswith("file://") else name
    return Path(text).expanduser()


def _parse_url(url: str, *, allow_private: bool) -> UrlSource:
    source = UrlSource(url=url, allow_private=allow_private)
    if source.scheme not in SCHEMES:
        raise InputUnreadable(f"{masked(url)} cannot be opened: a URL must begin with {', '.join(SCHEMES)}.")
    return source
