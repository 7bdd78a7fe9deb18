"""Bencoding (BEP 3), read strictly enough that nothing hostile gets through and loosely enough for real trackers.

Refused: numbers with leading zeros or over 64 bits, a key twice, what is cut short or goes on behind its end, and what
is nested deeper than any tracker's answer. Keys out of order are common, and taken.
"""

from typing import Final, TypeAlias

from swarm.errors import TrackerError

Value: TypeAlias = int | bytes | list["Value"] | dict[bytes, "Value"]

DEPTH_MAX: Final = 8
_DIGITS_MAX: Final = 20


def decode(data: bytes) -> Value:
    """The one value in these bytes. Raises TrackerError."""
    value, end = _value(data, 0, DEPTH_MAX)
    if end != len(data):
        raise TrackerError("bencoding goes on behind its end")
    return value


def encode(value: Value) -> bytes:
    """The value's one spelling, keys in order."""
    match value:
        case int():
            return b"i%de" % value
        case bytes():
            return b"%d:%s" % (len(value), value)
        case list():
            return b"l%se" % b"".join(encode(item) for item in value)
        case dict():
            return b"d%se" % b"".join(encode(key) + encode(value[key]) for key in sorted(value))


def _value(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """The value that begins at ``at``, and where it ends."""
    kind = data[at : at + 1]
    if kind == b"i":
        return _number(data, at + 1, b"e")
    if kind.isdigit():
        return _text(data, at)
    if kind not in (b"l", b"d") or depth == 0:
        raise TrackerError("no bencoding, or nested too deep")
    return _list(data, at + 1, depth - 1) if kind == b"l" else _dict(data, at + 1, depth - 1)


def _list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    found: list[Value] = []
    while data[at : at + 1] != b"e":
        item, at = _value(data, at, depth)
        found.append(item)
    return found, at + 1


def _dict(data: bytes, at: int, depth: int) -> tuple[dict[bytes, Value], int]:
    found: dict[bytes, Value] = {}
    while data[at : at + 1] != b"e":
        key, at = _text(data, at)
        if key in found:
            raise TrackerError("bencoding has a key twice")
        found[key], at = _value(data, at, depth)
    return found, at + 1


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    size, start = _number(data, at, b":")
    if size < 0 or start + size > len(data):
        raise TrackerError("bencoding is cut short")
    return data[start : start + size], start + size


def _number(data: bytes, at: int, mark: bytes) -> tuple[int, int]:
    end = data.find(mark, at, at + _DIGITS_MAX + 1)
    digits = data[at:end]
    unsigned = digits.removeprefix(b"-")
    if end < 0 or not unsigned.isdigit() or (unsigned[:1] == b"0" and digits != b"0"):
        raise TrackerError("bencoding has a number that is none")
    return int(digits), end + 1
