"""Segments survive the way through a file, and nothing else comes out of one."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.live.segments import Segment, gap_slot
from gateway.media.errors import MediaError
from gateway.timeshift.segment_file import from_bytes, read_head, to_bytes
from tests.gateway.media_fixture import stream
from tests.gateway.timeshift.past_segments import whole_segments


def with_gap() -> Segment:
    segment = whole_segments()[0]
    slots = [segment.slots[0], gap_slot(0.2), *segment.slots[2:]]
    return Segment(
        msn=100, epoch=7, discontinuity=3, capture_us=5, init=segment.init, slots=slots, complete=True, outage_s=0.0
    )


@pytest.mark.parametrize(
    "segment", [whole_segments()[0], whole_segments()[1], with_gap()], ids=["first", "next", "gap"]
)
def test_a_segment_comes_back_as_it_was(segment: Segment) -> None:
    again = from_bytes(to_bytes(segment), segment.init)
    for track in (None, 1, 2):
        assert b"".join(again.buffers(track)) == b"".join(segment.buffers(track))
        assert again.line(track) == segment.line(track)


def test_an_outage_comes_back_as_long_as_it_was() -> None:
    init = stream().init
    empty = Segment(msn=4, epoch=7, discontinuity=0, capture_us=9, init=init, slots=[], complete=True, outage_s=1.25)
    again = from_bytes(to_bytes(empty), init)
    assert (again.duration_s, again.line(None).gap) == (1.25, True)
    assert read_head(to_bytes(empty)).gap


@cache
def sound() -> bytes:
    return to_bytes(whole_segments()[0])


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(share: float, bit: int) -> None:
    damaged = bytearray(sound())
    damaged[int(share * len(damaged))] ^= 1 << bit
    with pytest.raises(MediaError):
        from_bytes(bytes(damaged), stream().init)


@given(st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_noticed(share: float) -> None:
    with pytest.raises(MediaError):
        from_bytes(sound()[: int(share * len(sound()))], stream().init)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda rest: b"SCS1" + bytes(4) + b"\0\0\0\x20" + rest))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        read_head(data)
