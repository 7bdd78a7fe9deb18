"""AMF0 values, as RTMP's commands and FLV's script tags carry them (Adobe's Action Message Format, December 2007).

Of the types a broadcaster sends, all that matter are read: numbers, booleans, strings, objects, arrays, null. Others
end the reading, because their length is not known here.
"""

import struct
from collections.abc import Iterator, Sequence

from gateway.media.errors import MediaError

Value = float | bool | str | None | dict[str, "Value"] | list["Value"]

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED = 0x00, 0x01, 0x02, 0x03, 0x05, 0x06
ARRAY, OBJECT_END, STRICT_ARRAY, DATE, LONG_STRING = 0x08, 0x09, 0x0A, 0x0B, 0x0C
DEPTH_MAX = 8
MEMBERS_MAX = 256
TEXT_CHARS_MAX = 0xFFFF


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise MediaError("An RTMP message ends too early.")
        self._at += size
        return found

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def text(self, form: str = ">H") -> str:
        return self.take(self.number(form)).decode(errors="replace")

    def value(self, depth: int = 0) -> Value:
        kind = self.number(">B")
        if depth > DEPTH_MAX:
            raise MediaError("An RTMP message is nested too deeply.")
        if kind in (OBJECT, ARRAY, STRICT_ARRAY):
            return self._collection(kind, depth)
        if kind == NUMBER:
            return self._double()
        if kind == BOOLEAN:
            return self.number(">B") != 0
        if kind in (STRING, LONG_STRING):
            return self.text(">H" if kind == STRING else ">I")
        if kind == DATE:
            value = self._double()
            self.take(2)  # a time zone that is not used
            return value
        if kind in (NULL, UNDEFINED):
            return None
        raise MediaError(f"An RTMP message has a value of the unknown type {kind}.")

    def _collection(self, kind: int, depth: int) -> Value:
        if kind == STRICT_ARRAY:
            return [self.value(depth + 1) for _ in range(self._count())]
        if kind == ARRAY:
            self.take(4)  # how many members there are, which is not always true
        return dict(self._members(depth))

    def _double(self) -> float:
        value: float = struct.unpack(">d", self.take(8))[0]
        return value

    def _count(self) -> int:
        count = self.number(">I")
        if count > MEMBERS_MAX:
            raise MediaError("An RTMP message has too many values.")
        return count

    def _members(self, depth: int) -> Iterator[tuple[str, Value]]:
        for _ in range(MEMBERS_MAX):
            name = self.text()
            if not name and self._data[self._at : self._at + 1] == bytes([OBJECT_END]):
                self.take(1)
                return
            yield name, self.value(depth + 1)
        raise MediaError("An RTMP message has too many values.")


def read_values(data: bytes) -> list[Value]:
    """All values of a message, one after the other. Raises MediaError."""
    reader = _Reader(data)
    values: list[Value] = []
    while reader.left:
        if len(values) >= MEMBERS_MAX:
            raise MediaError("An RTMP message has too many values.")
        values.append(reader.value())
    return values


def write_values(values: Sequence[Value]) -> bytes:
    """The bytes of a message with these values."""
    return b"".join(map(_write, values))


def _write(value: Value) -> bytes:
    match value:
        case bool():
            return bytes([BOOLEAN, value])
        case int() | float():
            return struct.pack(">Bd", NUMBER, value)
        case str():
            return bytes([STRING]) + _text(value)
        case dict():
            members = b"".join(_text(name) + _write(member) for name, member in value.items())
            return bytes([OBJECT]) + members + bytes([0, 0, OBJECT_END])
        case list():
            return struct.pack(">BI", STRICT_ARRAY, len(value)) + b"".join(map(_write, value))
        case None:
            return bytes([NULL])


def _text(text: str) -> bytes:
    data = text.encode()[:TEXT_CHARS_MAX]
    return struct.pack(">H", len(data)) + data
