"""Times of day beside pictures: written here as OBS and MISB describe them, and read back, whatever else is there."""

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.encoder_time import MISB_MICROSECONDS, OBS_TIMES, read_encoder_time

MOMENT_US = 1_764_480_723_591_000
SLICE = b"\x65" + bytes(range(64))


def units(*nals: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(nal)) + nal for nal in nals)


def sei(*messages: bytes, kind: int = 5) -> bytes:
    body = b"".join(bytes([kind]) + size_of(message) + message for message in messages) + b"\x80"
    escaped = bytearray()
    for byte in body:
        if byte <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(byte)
    return b"\x06" + bytes(escaped)


def size_of(message: bytes) -> bytes:
    return b"\xff" * (len(message) // 255) + bytes([len(message) % 255])


def obs(*times: tuple[int, int, bytes]) -> bytes:
    return OBS_TIMES + bytes([len(times) - 1]) + b"".join(bytes([kind, event]) + value for kind, event, value in times)


def rfc3339(us: int) -> bytes:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].encode() + b"Z\0"


def misb(us: int) -> bytes:
    pairs = struct.pack(">Q", us)
    return MISB_MICROSECONDS + b"\x1f" + b"\xff".join(pairs[at : at + 2] for at in range(0, 8, 2))


def test_obs_tells_when_the_picture_was_composed() -> None:
    times = obs((1, 2, rfc3339(MOMENT_US + 40_000)), (1, 1, rfc3339(MOMENT_US)), (3, 4, bytes(8)))
    assert read_encoder_time(units(b"\x67\x42", SLICE, sei(times))) == MOMENT_US


def test_obs_may_count_milliseconds_too() -> None:
    times = obs((2, 1, struct.pack(">q", MOMENT_US // 1000)))
    assert read_encoder_time(units(sei(times), SLICE)) == MOMENT_US


@given(st.integers(0, 1 << 63))
def test_misb_counts_microseconds(us: int) -> None:
    assert read_encoder_time(units(sei(b"x" * 16 + b"x264 says a lot" * 40, misb(us)), SLICE)) == us


@pytest.mark.parametrize(
    "nal",
    [
        sei(obs((1, 4, rfc3339(MOMENT_US)))),
        sei(obs((1, 1, b"yesterday\0"))),
        sei(obs((1, 1, b"2025-11-30T05:32:03.591\0"))),
        sei(obs((1, 1, rfc3339(MOMENT_US)))[:-8]),
        sei(obs((1, 1, rfc3339(MOMENT_US))), kind=4),
        sei(misb(MOMENT_US)[:-1]),
        sei(misb(MOMENT_US).replace(b"\xff", b"\xfe")),
        SLICE,
    ],
)
def test_what_says_no_time_of_capture_is_none(nal: bytes) -> None:
    assert read_encoder_time(units(nal, SLICE)) is None


@given(st.binary(max_size=300))
def test_whatever_comes_is_a_time_or_none(data: bytes) -> None:
    read_encoder_time(data)
    read_encoder_time(units(b"\x06" + data))
    read_encoder_time(units(sei(OBS_TIMES + data)))
