"""SRT's handshake as far as a door needs it (draft-sharabayko-srt-01): who calls, for which stream, with which secret.

The caller's name for the stream lies open in its last handshake packet; of the secret it sends a key that only the
secret opens. So both are checked here, before anything behind the door is started.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from gateway.media.errors import MediaError

HEADER_BYTES = 16
CONTROL = 0x8000
HANDSHAKE, SHUTDOWN = 0, 5
INDUCTION, CONCLUSION = 1, 0xFFFFFFFF
MAGIC = 0x4A17
VERSION = 5
REQUEST_VERSION = 4
DATAGRAM = 2
KEY_MATERIAL_EXTENSION, STREAM_ID_EXTENSION = 3, 5
STREAM_ID_BYTES_MAX = 512

REJECTED = 1000
"""A refusal is a handshake of this type, plus the reason."""
BAD_SECRET = 10
UNAUTHORIZED, OVERLOADED, FORBIDDEN, CONFLICT = 1401, 1402, 1403, 1409

KEY_MATERIAL_HEADER = b"\x12\x20\x29"
KEY_ITERATIONS = 2048
SALT_BYTES = 16

_HEADER = struct.Struct(">HHIII")
_BODY = struct.Struct(">IHHIIIIII16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """One handshake packet. ``socket`` is its sender's, ``to`` its receiver's; ``extensions`` are as they came."""

    to: int
    time_us: int
    version: int
    encryption: int
    extension: int
    sequence: int
    packet_bytes: int
    window: int
    kind: int
    socket: int
    cookie: int
    address: bytes
    extensions: bytes = b""

    def to_bytes(self) -> bytes:
        return (
            _HEADER.pack(CONTROL | HANDSHAKE, 0, 0, self.time_us, self.to)
            + _BODY.pack(
                self.version,
                self.encryption,
                self.extension,
                self.sequence,
                self.packet_bytes,
                self.window,
                self.kind,
                self.socket,
                self.cookie,
                self.address,
            )
            + self.extensions
        )

    def invitation(self, cookie: int) -> "Handshake":
        """The answer to a caller's first packet, which keeps nothing of it here."""
        return replace(
            self, to=self.socket, version=VERSION, encryption=0, extension=MAGIC, cookie=cookie, extensions=b""
        )

    def refusal(self, reason: int) -> "Handshake":
        """The answer to a caller that is sent away."""
        return replace(self, to=self.socket, kind=REJECTED + reason, extension=0, encryption=0, extensions=b"")

    def opening(self) -> "Handshake":
        """What this caller's first packet must have been."""
        return replace(
            self,
            to=0,
            version=REQUEST_VERSION,
            encryption=0,
            extension=DATAGRAM,
            kind=INDUCTION,
            cookie=0,
            extensions=b"",
        )

    @property
    def stream_id(self) -> str:
        """What the caller asks for; empty when it does not say. Raises MediaError."""
        data = self._find(STREAM_ID_EXTENSION)[:STREAM_ID_BYTES_MAX]
        # Each word lies in the caller's byte order, which is the small end first.
        text = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
        return text.rstrip(b"\0").decode(errors="replace")

    @property
    def key_material(self) -> bytes:
        """The caller's key under its secret; empty when it does not encrypt. Raises MediaError."""
        return self._find(KEY_MATERIAL_EXTENSION)

    def _find(self, wanted: int) -> bytes:
        return next((data for kind, data in self._read_extensions() if kind == wanted), b"")

    def _read_extensions(self) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at < len(self.extensions):
            if at + 4 > len(self.extensions):
                raise MediaError("An SRT handshake ends too early.")
            kind, words = struct.unpack_from(">HH", self.extensions, at)
            end = at + 4 + 4 * words
            if end > len(self.extensions):
                raise MediaError("An SRT handshake ends too early.")
            yield kind, self.extensions[at + 4 : end]
            at = end


def read_handshake(packet: bytes) -> Handshake | None:
    """A packet as a handshake; None when it is something else."""
    if len(packet) < HEADER_BYTES + _BODY.size:
        return None
    control, _, _, time_us, to = _HEADER.unpack_from(packet)
    if control != CONTROL | HANDSHAKE:
        return None
    version, encryption, extension, sequence, size, window, kind, own, cookie, address = _BODY.unpack_from(
        packet, HEADER_BYTES
    )
    return Handshake(
        to=to,
        time_us=time_us,
        version=version,
        encryption=encryption,
        extension=extension,
        sequence=sequence,
        packet_bytes=size,
        window=window,
        kind=kind,
        socket=own,
        cookie=cookie,
        address=address,
        extensions=packet[HEADER_BYTES + _BODY.size :],
    )


def opens(secret: str, material: bytes) -> bool:
    """Whether this secret is the one under which a caller's key material was made (section 6.1.4)."""
    if material[:3] != KEY_MATERIAL_HEADER or len(material) < HEADER_BYTES + SALT_BYTES:
        return False
    salt_bytes, key_bytes = 4 * material[14], 4 * material[15]
    if salt_bytes != SALT_BYTES or key_bytes not in (16, 24, 32):
        return False
    salt, wrapped = material[16 : 16 + SALT_BYTES], material[16 + SALT_BYTES :]
    wrapping = hashlib.pbkdf2_hmac("sha1", secret.encode(), salt[8:], KEY_ITERATIONS, key_bytes)
    try:
        aes_key_unwrap(wrapping, wrapped)
    except (InvalidUnwrap, ValueError):
        return False
    return True


def resource_of(stream_id: str) -> str | None:
    """The stream that a caller wants to publish to; None when it wants something else.

    ``KEY``, ``publish:KEY``, ``live/KEY``, and the access control syntax ``#!::r=KEY,m=publish``.
    """
    if stream_id.startswith("#!::"):
        fields = dict(item.partition("=")[::2] for item in stream_id[4:].split(","))
        resource = fields.get("r", "")
        return resource.rpartition("/")[2] if fields.get("m", "publish") == "publish" else None
    verb, _, rest = stream_id.rpartition(":")
    return rest.rpartition("/")[2] if verb in ("", "publish") else None
