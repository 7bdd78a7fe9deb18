"""A part's layout is read from its `moof`, in all the ways in which the standard lets it be written."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.media.boxes import make_box
from gateway.media.errors import MediaError
from gateway.media.fragments import read_fragment
from gateway.media.parts import TrackInfo
from tests.gateway.media_fixture import stream

TRACK = TrackInfo(
    track=3,
    kind="video",
    codec="avc1.42C01E",
    timescale=1000,
    default_duration=40,
    default_size=2,
    default_flags=0x010000,
)


def fragment(
    trun: bytes,
    *,
    tfhd: bytes = struct.pack(">II", 0x020000, 3),
    tfdt: bytes = struct.pack(">IQ", 1 << 24, 5000),
    samples: bytes = b"aabbcc",
) -> bytes:
    """One `moof` and `mdat`; the `trun`'s data_offset, its third word, is set to where the samples are."""

    def moof(offset: int) -> bytes:
        run = trun[:8] + struct.pack(">I", offset) + trun[12:]
        traf = make_box(b"traf", make_box(b"tfhd", tfhd), make_box(b"tfdt", tfdt), make_box(b"trun", run))
        return make_box(b"moof", make_box(b"mfhd", bytes(8)), traf)

    return moof(len(moof(0)) + 8) + make_box(b"mdat", samples)


def test_what_the_fragment_does_not_say_comes_from_the_track() -> None:
    read = read_fragment(fragment(struct.pack(">III", 0x1, 3, 0)), TRACK)
    assert (read.track, read.decode_time, read.samples, read.duration, read.key) == (3, 5000, 3, 120, False)


def test_the_fragment_s_header_goes_before_the_track() -> None:
    tfhd = struct.pack(">IIIIII", 0x02003A, 3, 1, 25, 3, 0)
    read = read_fragment(fragment(struct.pack(">III", 0x1, 2, 0), tfhd=tfhd), TRACK)
    assert (read.duration, read.key) == (50, True)


def test_the_run_s_own_samples_go_before_all() -> None:
    trun = struct.pack(">III6I", 0x701, 2, 0, 10, 4, 0, 11, 2, 0x010000)
    read = read_fragment(fragment(trun), TRACK)
    assert (read.duration, read.key) == (21, True)


def test_first_sample_flags_make_a_key_part() -> None:
    assert read_fragment(fragment(struct.pack(">IIII", 0x5, 3, 0, 0)), TRACK).key


def test_decode_times_have_32_or_64_bits_and_may_be_before_zero() -> None:
    trun = struct.pack(">III", 0x1, 3, 0)
    assert read_fragment(fragment(trun, tfdt=struct.pack(">II", 0, 0xFFFFFFFF)), TRACK).decode_time == 0xFFFFFFFF
    assert read_fragment(fragment(trun, tfdt=struct.pack(">Iq", 1 << 24, -1024)), TRACK).decode_time == -1024


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "one moof and one mdat"),
        (make_box(b"moof"), "one moof and one mdat"),
        (make_box(b"moof") + make_box(b"mdat"), "0 tracks"),
        (fragment(struct.pack(">III", 0x1, 0, 0)), "without samples"),
        (fragment(struct.pack(">III", 0x1, 4, 0)), "outside of its data"),
        (fragment(struct.pack(">III", 0x1, 1 << 20, 0)), "65536 are the limit"),
        (fragment(struct.pack(">III", 0x201, 3, 0)), "trun box ends too early"),
        (fragment(struct.pack(">III", 0x1, 1, 0), tfhd=struct.pack(">IIQ", 1, 3, 0)), "absolute offsets"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        read_fragment(data, TRACK)


def test_a_duration_that_is_said_nowhere_is_refused() -> None:
    with pytest.raises(MediaError, match="how long"):
        _ = read_fragment(fragment(struct.pack(">III", 0x1, 3, 0))).duration


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, 200), value=st.integers(0, 255), track=st.sampled_from([TRACK, None]))
def test_a_damaged_part_is_read_or_a_media_error(at: int, value: int, track: TrackInfo | None) -> None:
    data = bytearray(stream().parts[0].data)
    data[at] = value
    try:
        read = read_fragment(bytes(data), track)
    except MediaError:
        return
    assert read.samples > 0
