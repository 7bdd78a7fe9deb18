"""A piece on its way: cut into coded blocks by the source, described by a signed header that travels with each block.

Header, 135 bytes in network order: tag 8, epoch u32, number u64, flags u8 (bit 0: starts at a key frame), capture
i64, duration u32, length u32, k u8, n u8, Merkle root 32, and the stream key's signature 64 over a context, the
stream's key and all of these. The key itself does not travel: the tag names it.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from blake3 import blake3

from swarm.coding import code
from swarm.errors import LocalError, MalformedMessage
from swarm.framing import MESSAGE_BYTES_MAX
from swarm.identity import Identity, verify
from swarm.merkle import NODE_BYTES, depth, tree
from swarm.units import SIGNATURE_BYTES, TAG_BYTES, StreamId, SwarmTag

__all__ = [
    "DURATION_US_MAX",
    "HEADER_BYTES",
    "NODE_BYTES",
    "PIECE_BYTES_MAX",
    "SIGNED_BYTES",
    "STRIPES_MAX",
    "PieceHeader",
    "SealedPiece",
    "SignedPiece",
    "decode_header",
    "make_piece",
    "reseal",
    "signed_bytes",
    "swarm_tag",
    "verify_header",
]

STRIPES_MAX: Final = 64
PIECE_BYTES_MAX: Final = 4 * 1024 * 1024
DURATION_US_MAX: Final = 10_000_000

_FIELDS: Final = struct.Struct(">8sIQBqIIBB32s")
SIGNED_BYTES: Final = _FIELDS.size
HEADER_BYTES: Final = SIGNED_BYTES + SIGNATURE_BYTES

_TAG_CONTEXT: Final = b"seedcast swarm 1\0"
_PIECE_CONTEXT: Final = b"seedcast piece 1\0"
_KEY_FLAG: Final = 0x01


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceHeader:
    """What the source says, and signs, about one piece; times in microseconds, ``capture_us`` since 1970."""

    tag: SwarmTag
    epoch: int
    number: int
    key: bool
    capture_us: int
    duration_us: int
    length: int
    k: int
    n: int
    root: bytes
    signature: bytes

    @property
    def block_bytes(self) -> int:
        """The size of each block; the last data blocks end in zeros where the payload is short."""
        return -(-self.length // self.k)

    def encode(self) -> bytes:
        """The header's 135 bytes."""
        return self.fields() + self.signature

    def fields(self) -> bytes:
        """The 71 bytes before the signature. Raises LocalError when a number does not fit its field."""
        try:
            return _FIELDS.pack(
                self.tag,
                self.epoch,
                self.number,
                _KEY_FLAG if self.key else 0,
                self.capture_us,
                self.duration_us,
                self.length,
                self.k,
                self.n,
                self.root,
            )
        except struct.error as error:
            raise LocalError(f"a piece cannot be described: {error}") from error


@dataclass(frozen=True, slots=True)
class SealedPiece:
    """A piece ready to send: ``blocks[i]`` with ``paths[i]`` goes down stripe i."""

    header: PieceHeader
    header_bytes: bytes
    blocks: list[bytes]
    paths: list[bytes]


class SignedPiece(NamedTuple):
    """What has to be kept of a piece so that others can be lent it: the signed header, and the payload that it covers,
    which of a sealed stream is the sealed one."""

    header: bytes
    payload: bytes


def swarm_tag(stream: StreamId, rendition: int) -> SwarmTag:
    """The tag that names one rendition (0 to 255) of a stream on the wire. Raises LocalError for another number."""
    if not 0 <= rendition <= 0xFF:
        raise LocalError(f"a rendition's number is 0 to 255, not {rendition}")
    return SwarmTag(blake3(_TAG_CONTEXT + stream + bytes([rendition])).digest(TAG_BYTES))


def decode_header(buffer: bytes | memoryview, offset: int = 0) -> PieceHeader:
    """The header at ``offset``; what follows it is not looked at. Raises MalformedMessage."""
    if offset < 0 or len(buffer) - offset < HEADER_BYTES:
        raise MalformedMessage("piece header is cut short")
    tag, epoch, number, flags, capture_us, duration_us, length, k, n, root = _FIELDS.unpack_from(buffer, offset)
    fault = _fault(number, length, duration_us, k, n)
    if fault or flags & ~_KEY_FLAG:
        raise MalformedMessage(fault or "piece header has unknown flags")
    return PieceHeader(
        tag=SwarmTag(tag),
        epoch=epoch,
        number=number,
        key=flags == _KEY_FLAG,
        capture_us=capture_us,
        duration_us=duration_us,
        length=length,
        k=k,
        n=n,
        root=root,
        signature=bytes(buffer[offset + _FIELDS.size : offset + HEADER_BYTES]),
    )


def signed_bytes(header: PieceHeader, stream: StreamId) -> bytes:
    """What the stream's key signs."""
    return _PIECE_CONTEXT + stream + header.fields()


def verify_header(header: PieceHeader, stream: StreamId) -> bool:
    """Whether the stream's key signed this header."""
    return verify(stream, header.signature, signed_bytes(header, stream))


def make_piece(
    payload: bytes,
    *,
    stream: StreamId,
    rendition: int,
    epoch: int,
    number: int,
    key: bool,
    capture_us: int,
    duration_us: int,
    k: int,
    n: int,
    owner: Identity,
) -> SealedPiece:
    """Code, hash and sign one piece. Raises LocalError when a figure is out of bounds."""
    fault = _fault(number, len(payload), duration_us, k, n)
    if fault:
        raise LocalError(fault)
    blocks = code(k, n).encode(payload)
    root, paths = tree(blocks)
    unsigned = PieceHeader(
        tag=swarm_tag(stream, rendition),
        epoch=epoch,
        number=number,
        key=key,
        capture_us=capture_us,
        duration_us=duration_us,
        length=len(payload),
        k=k,
        n=n,
        root=root,
        signature=b"",
    )
    header = replace(unsigned, signature=owner.sign(signed_bytes(unsigned, stream)))
    return SealedPiece(header, header.encode(), blocks, paths)


def reseal(header: PieceHeader, payload: bytes) -> SealedPiece | None:
    """All blocks and paths of a rebuilt piece, so that its missing ones can be passed on.

    None when they do not lead to the header's root. Each block that the payload came from was checked against
    that root, so a mismatch proves that the source signed blocks that do not belong together; no relay can cause
    it. That is why rebuilding alone does not check again: it would cost a whole coding and tell nothing about the
    one who sent the blocks.
    """
    if len(payload) != header.length:
        return None
    blocks = code(header.k, header.n).encode(payload)
    root, paths = tree(blocks)
    return SealedPiece(header, header.encode(), blocks, paths) if root == header.root else None


def _fault(number: int, length: int, duration_us: int, k: int, n: int) -> str:
    """What is out of bounds in a piece, or nothing."""
    if number < 1:
        return f"pieces are numbered from 1 on, not {number}: 0 stands for none"
    if not 1 <= k <= n <= STRIPES_MAX:
        return f"k of n blocks must be 1 <= k <= n <= {STRIPES_MAX}, not {k} of {n}"
    if not 0 < length <= PIECE_BYTES_MAX:
        return f"a piece must have 1 to {PIECE_BYTES_MAX} bytes, not {length}"
    if not 0 < duration_us <= DURATION_US_MAX:
        return f"a piece must last 1 to {DURATION_US_MAX} microseconds, not {duration_us}"
    most = MESSAGE_BYTES_MAX - HEADER_BYTES - depth(n) * NODE_BYTES - 2
    if -(-length // k) > most:
        return f"{length} bytes in {k} blocks exceed {most} bytes a block: choose a greater k or shorter pieces"
    return ""
