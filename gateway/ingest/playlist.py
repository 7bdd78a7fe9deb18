"""Folders and lists of films: which there are, and in which order they are played."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.ingest.errors import InputUnreadable

VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("3gp", "asf", "avi", "divx", "f4v", "flv", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg"),
        *("mts", "mxf", "ogm", "ogv", "ts", "vob", "webm", "wmv"),
    )
)
LIST_SUFFIXES = frozenset((".m3u", ".m3u8", ".pls", ".txt"))
LIST_BYTES_MAX = 4 << 20
ENTRIES_MAX = 10_000
HLS_TAG = "#EXT-X-"
"""A list with such a line names the segments of one film (RFC 8216)."""

_DIGITS = re.compile(r"(\d+)")
_PLS_ENTRY = re.compile(r"(?i)File(\d+)=(.*)")


def is_playlist(path: Path) -> bool:
    """Whether a file is a list of films. Raises InputUnreadable when it cannot be read."""
    return path.suffix.lower() in LIST_SUFFIXES and HLS_TAG not in _read(path)


def films_of(name: Path) -> list[str]:
    """The films that a folder, a list or a file stands for, as paths and URLs. Raises InputUnreadable."""
    if name.is_dir():
        return [str(path) for path in films_in(name)]
    if is_playlist(name):
        return entries_of(name)
    return [str(name)]


def films_in(folder: Path) -> list[Path]:
    """The videos in a folder, by its files' names: in the order of the numbers in them. Raises InputUnreadable."""
    try:
        found = [path for path in folder.iterdir() if _is_film(path)]
    except OSError as error:
        raise InputUnreadable(f"{folder} cannot be read: {error.strerror}.") from error
    return sorted(found, key=lambda path: (natural_order(path.name), path.name))[:ENTRIES_MAX]


def entries_of(path: Path) -> list[str]:
    """What a list names, in its order: paths, those without a root relative to the list, and URLs.

    Raises InputUnreadable when it cannot be read.
    """
    entries = read_entries(_read(path), path.suffix.lower())
    return [_resolve(entry, path.parent) for entry in entries[:ENTRIES_MAX]]


def read_entries(text: str, suffix: str) -> list[str]:
    """The entries of a list, as they stand in it."""
    return _read_pls(text) if suffix == ".pls" else _read_lines(text)


def natural_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts ``film 2`` before ``film 10``, whatever the case."""
    words = _DIGITS.split(name.casefold())
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in words if word)


def _is_film(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LIST_BYTES_MAX + 1)
    except OSError as error:
        raise InputUnreadable(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > LIST_BYTES_MAX:
        raise InputUnreadable(f"{path} is too long for a list of files: {LIST_BYTES_MAX} bytes at most.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # .m3u has no encoding of its own


def _read_lines(text: str) -> list[str]:
    return [line for raw in text.splitlines() if (line := raw.strip()) and not line.startswith("#")]


def _read_pls(text: str) -> list[str]:
    numbered = [(int(match[1]), match[2].strip()) for line in text.splitlines() if (match := _PLS_ENTRY.match(line))]
    return [entry for _, entry in sorted(numbered) if entry]


def _resolve(entry: str, folder: Path) -> str:
    scheme, separator, _ = entry.partition("://")
    if separator and scheme.lower() != "file":
        return entry
    return str(folder / (unquote(urlsplit(entry).path) if separator else entry))
