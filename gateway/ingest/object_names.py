"""What the names of pushed objects say: which track, and which number in it.

DASH-IF Live Media Ingest leaves the names to the sender. These all are understood: ``Streams(video.cmfv)``,
``init-stream0.m4s`` with ``chunk-stream0-00001.m4s``, ``init.mp4`` with ``index7.m4s``, ``index7.ts``,
``video/init.mp4`` with ``video/7.m4s``.
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["media", "playlist", "other"]

MEDIA = ("ts", "mp4", "m4s", "m4v", "m4a", "cmfv", "cmfa", "cmft", "m2ts")
PLAYLISTS = ("m3u8", "mpd", "ism", "isml")
NAME_CHARS_MAX = 256
NUMBER_DIGITS_MAX = 18

_STREAMS = re.compile(r"Streams\((.+)\)$")
_NUMBER = re.compile(rf"(\d{{1,{NUMBER_DIGITS_MAX}}})$")
_FILLERS = re.compile(r"(?:^|[-_.])(init|header|chunk|segment|seg|index|media|part)(?=$|[-_.\d])")


@dataclass(frozen=True, slots=True)
class ObjectName:
    """``track`` is the same for all objects of one; ``number`` is None for an init segment or an endless object."""

    kind: Kind
    track: str
    number: int | None


def read_name(path: str) -> ObjectName:
    """What a path below the key's names."""
    if len(path) > NAME_CHARS_MAX:
        return ObjectName("other", "", None)
    if (match := _STREAMS.search(path)) is not None:
        path = match[1]
    folder, slash, name = path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    suffix = suffix.lower()
    if suffix in PLAYLISTS:
        return ObjectName("playlist", "", None)
    if suffix not in MEDIA:
        return ObjectName("other", "", None)
    if re.search(r"(?:^|[-_.])(init|header)(?=$|[-_.])", stem) or match is not None:
        return ObjectName("media", folder + slash + _track(stem), None)
    number = _NUMBER.search(stem)
    if number is None:
        return ObjectName("media", folder + slash + _track(stem), None)
    return ObjectName("media", folder + slash + _track(stem[: number.start()]), int(number[1]))


def _track(stem: str) -> str:
    return _FILLERS.sub("", stem).strip("-_.")
