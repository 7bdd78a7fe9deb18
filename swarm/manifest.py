"""The manifest: what a stream's source says about its stream, signed, passed on by every peer as it came.

Bytes, in network order; texts and media have their length in front:

    format u8 (2), stream 32, epoch u32, revision u32, created i64 (microseconds since 1970), flags u8 (bit 0: ended,
    bit 1: sealed), count u8 and so many peer keys of 32 (the sources), title u16 + UTF-8, count u8, for each rendition
        number u8, bitrate u32 (bit/s), piece u32 (microseconds), k u8, n u8, name u8 + UTF-8, media u16 + bytes
    if sealed: admission u8, rotation u16 (seconds), session 8, salt 16, cost u8, sealed title u16 + bytes
    signature 64 by the stream's key over a context and all bytes before it

A manifest has one spelling only: reading it and signing it again gives the same bytes.
"""

import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from swarm.errors import LocalError, MalformedMessage, ProofError
from swarm.identity import Identity, verify
from swarm.pieces import DURATION_US_MAX, STRIPES_MAX
from swarm.sealing import SALT_BYTES, SESSION_BYTES, Admission, Lock, lock_fault
from swarm.titles import TITLE_CHARS_MAX
from swarm.units import KEY_BYTES, SIGNATURE_BYTES, PeerId, StreamId

NAME_CHARS_MAX: Final = 40
RENDITIONS_MAX: Final = 16
SOURCES_MAX: Final = 4
MEDIA_BYTES_MAX: Final = 32 * 1024
MANIFEST_BYTES_MAX: Final = 128 * 1024

_CONTEXT: Final = b"seedcast manifest 1\0"
_FORMAT: Final = 2
_HEAD: Final = struct.Struct(">IIqB")
_RENDITION: Final = struct.Struct(">BIIBB")
_LOCK: Final = struct.Struct(f">BH{SESSION_BYTES}s{SALT_BYTES}sB")
_ENDED: Final = 0x01
_SEALED: Final = 0x02
_BYTE: Final = struct.Struct(">B")
_SHORT: Final = struct.Struct(">H")

_U8: Final = range(1 << 8)
_U32: Final = range(1 << 32)
_I64: Final = range(-(1 << 63), 1 << 63)

_UNPRINTABLE: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))
_DIRECTION_SWITCHES: Final = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionInfo:
    """One quality of a stream. ``media`` tells players how to read it; the swarm does not look inside."""

    number: int
    name: str
    bitrate_bps: int
    piece_us: int
    k: int
    n: int
    media: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A stream's description; of two, the one with the greater (epoch, revision) holds.

    ``sources`` are the peers that send the stream's pieces first; nobody else is taken for one, whatever it says.
    With a ``lock`` the stream is sealed: the title is empty here, and each rendition's media is sealed too.
    """

    stream: StreamId
    epoch: int
    revision: int
    title: str
    created_us: int
    renditions: tuple[RenditionInfo, ...]
    sources: tuple[PeerId, ...] = ()
    ended: bool = False
    lock: Lock | None = None


def is_printable(text: str) -> bool:
    """Whether a text from outside can be shown as it is: one line, no control codes, no switches of direction."""
    return not any(unicodedata.category(c) in _UNPRINTABLE or c in _DIRECTION_SWITCHES for c in text)


def sign_manifest(manifest: Manifest, identity: Identity) -> bytes:
    """The manifest's bytes. Raises LocalError for a field out of bounds or a key that is not the stream's."""
    if identity.key != manifest.stream:
        raise LocalError("a manifest is signed with the key of its stream")
    if fault := _fault(manifest):
        raise LocalError(fault)
    body = _encode(manifest)
    if len(body) + SIGNATURE_BYTES > MANIFEST_BYTES_MAX:
        raise LocalError(f"the manifest is over {MANIFEST_BYTES_MAX} bytes: describe fewer renditions")
    return body + identity.sign(_CONTEXT + body)


def open_manifest(data: bytes, stream: StreamId) -> Manifest:
    """The manifest in these bytes, checked whole.

    Raises MalformedMessage when it cannot be read, a field is out of bounds or it is another stream's, and
    ProofError when the stream's key did not sign it.
    """
    if not SIGNATURE_BYTES <= len(data) <= MANIFEST_BYTES_MAX:
        raise MalformedMessage("manifest is cut short or too long")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    manifest = _decode(body)
    if manifest.stream != stream:
        raise MalformedMessage("manifest of another stream")
    if fault := _fault(manifest):
        raise MalformedMessage(fault)
    if not verify(stream, signature, _CONTEXT + body):
        raise ProofError("manifest is not signed by the stream's key")
    return manifest


def _encode(manifest: Manifest) -> bytes:
    parts = [
        _BYTE.pack(_FORMAT),
        manifest.stream,
        _HEAD.pack(manifest.epoch, manifest.revision, manifest.created_us, _flags(manifest)),
        _BYTE.pack(len(manifest.sources)),
        *manifest.sources,
        _sized(_SHORT, manifest.title.encode()),
        _BYTE.pack(len(manifest.renditions)),
    ]
    for r in manifest.renditions:
        parts.append(_RENDITION.pack(r.number, r.bitrate_bps, r.piece_us, r.k, r.n))
        parts.append(_sized(_BYTE, r.name.encode()))
        parts.append(_sized(_SHORT, r.media))
    if (lock := manifest.lock) is not None:
        parts.append(_LOCK.pack(lock.admission, lock.rotation_s, lock.session, lock.salt, lock.cost))
        parts.append(_sized(_SHORT, lock.title))
    return b"".join(parts)


def _flags(manifest: Manifest) -> int:
    return (_ENDED if manifest.ended else 0) | (_SEALED if manifest.lock is not None else 0)


def _sized(length: struct.Struct, data: bytes) -> bytes:
    return length.pack(len(data)) + data


def _decode(body: bytes) -> Manifest:
    reader = _Reader(body)
    if reader.unpack(_BYTE) != (_FORMAT,):
        raise MalformedMessage("manifest of an unknown format")
    stream = StreamId(reader.take(KEY_BYTES))
    epoch, revision, created_us, flags = reader.unpack(_HEAD)
    if flags & ~(_ENDED | _SEALED):
        raise MalformedMessage("manifest has unknown flags")
    sources = tuple(PeerId(reader.take(KEY_BYTES)) for _ in range(reader.unpack(_BYTE)[0]))
    title = reader.text(_SHORT)
    (count,) = reader.unpack(_BYTE)
    renditions = tuple(_decode_rendition(reader) for _ in range(count))
    lock = _decode_lock(reader) if flags & _SEALED else None
    reader.end()
    return Manifest(
        stream=stream,
        epoch=epoch,
        revision=revision,
        title=title,
        created_us=created_us,
        sources=sources,
        renditions=renditions,
        ended=bool(flags & _ENDED),
        lock=lock,
    )


def _decode_rendition(reader: "_Reader") -> RenditionInfo:
    number, bitrate_bps, piece_us, k, n = reader.unpack(_RENDITION)
    return RenditionInfo(
        number=number,
        name=reader.text(_BYTE),
        bitrate_bps=bitrate_bps,
        piece_us=piece_us,
        k=k,
        n=n,
        media=reader.sized(_SHORT),
    )


def _decode_lock(reader: "_Reader") -> Lock:
    admission, rotation_s, session, salt, cost = _LOCK.unpack(reader.take(_LOCK.size))
    if admission not in tuple(Admission):
        raise MalformedMessage("manifest has an unknown way of admission")
    return Lock(
        admission=Admission(admission),
        rotation_s=rotation_s,
        session=session,
        salt=salt,
        cost=cost,
        title=reader.sized(_SHORT),
    )


class _Reader:
    """Reads fields one after the other; MalformedMessage when the bytes end too soon."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise MalformedMessage("manifest is cut short")
        start, self._at = self._at, end
        return self._data[start:end]

    def unpack(self, fields: struct.Struct) -> tuple[int, ...]:
        return fields.unpack(self.take(fields.size))

    def sized(self, length: struct.Struct) -> bytes:
        return self.take(self.unpack(length)[0])

    def text(self, length: struct.Struct) -> str:
        try:
            return self.sized(length).decode()
        except UnicodeDecodeError as error:
            raise MalformedMessage("manifest has a text that is not UTF-8") from error

    def end(self) -> None:
        if self._at != len(self._data):
            raise MalformedMessage("manifest has bytes after its end")


def _fault(manifest: Manifest) -> str:
    """What is out of bounds, or nothing: the same rules for writing and for reading."""
    return next(_faults(manifest), "")


def _faults(manifest: Manifest) -> Iterator[str]:
    if len(manifest.stream) != KEY_BYTES:
        yield f"a stream's key has {KEY_BYTES} bytes"
    if manifest.epoch not in _U32 or manifest.revision not in _U32 or manifest.created_us not in _I64:
        yield "epoch, revision or time of the manifest is out of range"
    if len(manifest.sources) > SOURCES_MAX or any(len(key) != KEY_BYTES for key in manifest.sources):
        yield f"a stream has at most {SOURCES_MAX} sources, each named by a key of {KEY_BYTES} bytes"
    if len(set(manifest.sources)) < len(manifest.sources):
        yield "a source is named twice"
    if len(manifest.title) > TITLE_CHARS_MAX or not is_printable(manifest.title):
        yield f"the title must be one line of at most {TITLE_CHARS_MAX} characters without control codes"
    if len(manifest.renditions) > RENDITIONS_MAX:
        yield f"a stream has at most {RENDITIONS_MAX} renditions"
    if len({r.number for r in manifest.renditions}) < len(manifest.renditions):
        yield "two renditions have the same number"
    for rendition in manifest.renditions:
        yield from _rendition_faults(rendition)
    if manifest.lock is not None:
        yield from filter(None, [lock_fault(manifest.lock), "a sealed stream shows no title" * bool(manifest.title)])


def _rendition_faults(r: RenditionInfo) -> Iterator[str]:
    if r.number not in _U8 or r.bitrate_bps not in _U32:
        yield "number or bitrate of a rendition is out of range"
    if not 0 < r.piece_us <= DURATION_US_MAX:
        yield f"pieces must last 1 to {DURATION_US_MAX} microseconds, not {r.piece_us}"
    if not 1 <= r.k <= r.n <= STRIPES_MAX:
        yield f"k of n blocks must be 1 <= k <= n <= {STRIPES_MAX}, not {r.k} of {r.n}"
    if len(r.name) > NAME_CHARS_MAX or not is_printable(r.name):
        yield f"a rendition's name must be one line of at most {NAME_CHARS_MAX} characters without control codes"
    if len(r.media) > MEDIA_BYTES_MAX:
        yield f"a rendition's description is over {MEDIA_BYTES_MAX} bytes"
