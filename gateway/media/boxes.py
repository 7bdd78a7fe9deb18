"""Reading MP4 boxes (ISO/IEC 14496-12 section 4.2) where they lie, every access checked against the box's end."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.media.errors import MediaError

HEADER_BYTES = 8
LARGE_HEADER_BYTES = 16

_HEADER = struct.Struct(">I4s")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Box:
    """One box of ``data``: header at ``start``, content from ``body`` to ``end``. Offsets count from ``body``."""

    data: memoryview
    kind: bytes
    start: int
    body: int
    end: int

    def u8(self, offset: int) -> int:
        return self.data[self._at(offset, 1)]

    def u16(self, offset: int) -> int:
        value: int = _U16.unpack_from(self.data, self._at(offset, 2))[0]
        return value

    def u32(self, offset: int) -> int:
        value: int = _U32.unpack_from(self.data, self._at(offset, 4))[0]
        return value

    def u64(self, offset: int) -> int:
        value: int = _U64.unpack_from(self.data, self._at(offset, 8))[0]
        return value

    def octets(self, offset: int, length: int | None = None) -> bytes:
        """``length`` bytes from ``offset``, or all to the end."""
        size = self.end - self.body - offset if length is None else length
        at = self._at(offset, size)
        return bytes(self.data[at : at + size])

    def whole(self) -> memoryview:
        """The box with its header."""
        return self.data[self.start : self.end]

    def children(self, offset: int = 0) -> Iterator["Box"]:
        """The boxes inside, from ``offset`` on. Raises MediaError when they do not fill it exactly."""
        return read_boxes(self.data, self._at(offset, 0), self.end)

    def find(self, kind: bytes, offset: int = 0) -> "Box | None":
        """The first child of that kind."""
        return next((box for box in self.children(offset) if box.kind == kind), None)

    def child(self, *kinds: bytes) -> "Box":
        """The box at the end of a path of kinds. Raises MediaError when there is none."""
        box = self
        for kind in kinds:
            found = box.find(kind)
            if found is None:
                raise MediaError(f"This MP4 has no {_name(kind)} box in {_name(box.kind)}.")
            box = found
        return box

    def _at(self, offset: int, size: int) -> int:
        at = self.body + offset
        if offset < 0 or size < 0 or at + size > self.end:
            raise MediaError(f"This MP4's {_name(self.kind)} box ends too early.")
        return at


def read_boxes(data: memoryview, start: int, end: int) -> Iterator[Box]:
    """The boxes between two positions, which they must fill exactly. Raises MediaError."""
    at = start
    while at < end:
        header = read_header(data, at, end)
        if header is None or at + header[2] > end:
            raise MediaError("This MP4 is damaged: a box is cut off.")
        kind, header_bytes, size = header
        yield Box(data, kind, at, at + header_bytes, at + size)
        at += size


def read_header(data: memoryview | bytearray, at: int, end: int) -> tuple[bytes, int, int] | None:
    """A box's kind, the size of its header and of the whole; None when more bytes are needed. Raises MediaError."""
    if end - at < HEADER_BYTES:
        return None
    size, kind = _HEADER.unpack_from(data, at)
    header_bytes = HEADER_BYTES
    if size == 1:
        if end - at < LARGE_HEADER_BYTES:
            return None
        size = _U64.unpack_from(data, at + HEADER_BYTES)[0]
        header_bytes = LARGE_HEADER_BYTES
    # Size 0 means "to the end of the file", which a live stream does not have.
    if size < header_bytes:
        raise MediaError(f"This is no fragmented MP4: a box {_name(kind)} of {size} bytes.")
    return kind, header_bytes, size


def make_box(kind: bytes, *content: bytes | memoryview) -> bytes:
    """A box around the given content."""
    return b"".join((_HEADER.pack(HEADER_BYTES + sum(map(len, content)), kind), *content))


def _name(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")
