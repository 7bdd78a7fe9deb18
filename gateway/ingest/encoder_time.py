"""The time of day that an encoder writes beside its pictures: unregistered user data in SEI messages of H.264.

Two kinds are known: the broadcast performance metrics of OBS Studio 31 and newer (its Enhanced Broadcasting writes them
at each key frame), and the Precision Time Stamp of MISB ST 0604. Both say when the picture was composed or taken. Time
codes of picture timing messages name no date and no zone, and are passed over.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from gateway.media.parts import Buffer

OBS_TIMES = bytes.fromhex("0aecffe752724e2fa62fd19cd61a93b5")
MISB_MICROSECONDS = b"MISPmicrosectime"

NAL_LENGTH_BYTES = 4
NALS_MAX = 64
"""More are not looked through for a stamp."""
SEI_BYTES_MAX = 4096
SEI_NAL = 6
UNREGISTERED = 5
UUID_BYTES = 16

RFC3339, SINCE_EPOCH, DELTA = 1, 2, 3
COMPOSED = 1
MISB_BYTES = 12
_LONG_BYTES = 8


def read_encoder_time(samples: Buffer) -> int | None:
    """Microseconds since 1970 of the first picture that says its time; None when none does.

    ``samples`` are NAL units, each behind its length in four bytes (ISO/IEC 14496-15).
    """
    for message in _unregistered(samples):
        uuid, content = message[:UUID_BYTES], message[UUID_BYTES:]
        if uuid == OBS_TIMES:
            return _obs_time(content)
        if uuid == MISB_MICROSECONDS:
            return _misb_time(content)
    return None


def _unregistered(samples: Buffer) -> Iterator[bytes]:
    at = 0
    for _ in range(NALS_MAX):
        start = at + NAL_LENGTH_BYTES
        if start >= len(samples):
            return
        at = start + int.from_bytes(samples[at:start])
        if samples[start] & 0x1F == SEI_NAL and at <= len(samples) and at - start <= SEI_BYTES_MAX:
            yield from _messages(bytes(samples[start + 1 : at]))


def _messages(nal: bytes) -> Iterator[bytes]:
    """Unregistered user data in one SEI unit (ITU-T H.264 sections 7.3.2.3.1 and 7.4.1.1)."""
    data = re.sub(rb"\x00\x00\x03", b"\0\0", nal)
    at = 0
    while at + 2 < len(data):
        kind, at = _number(data, at)
        size, at = _number(data, at)
        if kind == UNREGISTERED and at + size <= len(data):
            yield data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(data) and data[at] == 0xFF:
        value += 0xFF
        at += 1
    return (value + data[at], at + 1) if at < len(data) else (value, at)


def _obs_time(content: bytes) -> int | None:
    """The composition time among the times of one picture; each is a kind, an event, and a value."""
    if not content:
        return None
    at = 1
    for _ in range((content[0] & 0x0F) + 1):
        if at + 2 > len(content):
            return None
        kind, event = content[at], content[at + 1]
        at += 2
        end = content.find(b"\0", at) if kind == RFC3339 else at + _LONG_BYTES
        if not at < end <= len(content):
            return None
        value = content[at:end]
        at = end + (kind == RFC3339)
        if event == COMPOSED and kind == RFC3339:
            return _rfc3339_us(value)
        if event == COMPOSED and kind == SINCE_EPOCH:
            return int.from_bytes(value) * 1000
    return None


def _rfc3339_us(text: bytes) -> int | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text.decode("ascii"))
        if moment.tzinfo is not None:
            return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
    return None


def _misb_time(content: bytes) -> int | None:
    """A status, and eight bytes with an 0xFF after each second one but the last."""
    if len(content) < MISB_BYTES or any(content[at] != 0xFF for at in (3, 6, 9)):
        return None
    return int.from_bytes(content[1:3] + content[4:6] + content[7:9] + content[10:12])
