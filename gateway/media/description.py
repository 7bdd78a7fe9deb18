"""What a manifest says of a rendition's media: init segment and rhythm, as JSON; opaque to the swarm."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.media.errors import MediaError

BYTES_MAX = 32 * 1024
"""What the swarm's manifest takes for one rendition."""

LEAST_S = 1e-3
"""A part or a segment of less is none."""
PART_TARGET_S_MAX = 10.0
SEGMENT_TARGET_S_MAX = 120.0
HOLD_BACK_S_MAX = 60.0

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """``init`` is the `ftyp` and `moov` of all tracks.

    ``part_target_s`` and ``segment_target_s`` are the lengths that the broadcaster aims at; a part may be a tenth
    longer, a segment less than half a second. ``hold_back_s`` is how far behind the newest part players are to stay at
    least, by its wish. ``clock``: the machine-readable clock is burned into the picture.
    """

    init: bytes
    part_target_s: float
    segment_target_s: float
    clock: bool = False
    hold_back_s: float = 0.0

    def to_bytes(self) -> bytes:
        """Raises MediaError when it does not fit into a manifest."""
        data = json.dumps(
            {
                "version": VERSION,
                "init": base64.b64encode(self.init).decode("ascii"),
                "part_target_s": self.part_target_s,
                "segment_target_s": self.segment_target_s,
                "clock": self.clock,
                "hold_back_s": self.hold_back_s,
            },
            separators=(",", ":"),
        ).encode("ascii")
        if len(data) > BYTES_MAX:
            raise MediaError(f"The init segment of {len(self.init)} bytes is too large: broadcast fewer tracks.")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "MediaDescription":
        """Raises MediaError on anything that `to_bytes` cannot make."""
        if len(data) > BYTES_MAX:
            raise MediaError(f"A media description of {len(data)} bytes: {BYTES_MAX} are the limit.")
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise MediaError("A media description that is no JSON.") from error
        if not isinstance(fields, dict) or fields.get("version") != VERSION:
            raise MediaError("A media description of another version: update this program.")
        clock = fields.get("clock")
        if not isinstance(clock, bool):
            raise MediaError("A media description whose clock is neither true nor false.")
        return cls(
            init=_decode(fields.get("init")),
            part_target_s=_read_seconds(fields, "part_target_s", PART_TARGET_S_MAX),
            segment_target_s=_read_seconds(fields, "segment_target_s", SEGMENT_TARGET_S_MAX),
            clock=clock,
            hold_back_s=_read_seconds({"hold_back_s": 0.0} | fields, "hold_back_s", HOLD_BACK_S_MAX, least_s=0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One quality of a stream as its broadcaster puts it on air; ``bitrate_bps`` as far as it is known beforehand."""

    name: str
    bitrate_bps: int
    media: MediaDescription


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise MediaError("A media description without an init segment.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MediaError("A media description whose init segment is no base64.") from error


def _read_seconds(fields: Mapping[str, object], name: str, most_s: float, *, least_s: float = LEAST_S) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least_s <= value <= most_s:
        raise MediaError(f"A media description whose {name} is not between {least_s:g} and {most_s:g}.")
    return float(value)
