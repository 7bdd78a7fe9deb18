"""Segments survive the way through a file, and nothing else comes out of one."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.live.segments import Segment, gap_slot
from gateway.media.errors import MediaError
from gateway.timeshift.segment_file import Keys, NoKeys, from_bytes, read_head, to_bytes
from tests.gateway.media_fixture import stream
from tests.gateway.timeshift.past_segments import FakeKeys, sealed_segments, whole_segments


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
    again = from_bytes(to_bytes(segment), segment.init, NoKeys())
    for track in (None, 1, 2):
        assert b"".join(again.buffers(track)) == b"".join(segment.buffers(track))
        assert again.line(track) == segment.line(track)


def test_an_outage_comes_back_as_long_as_it_was() -> None:
    init = stream().init
    empty = Segment(msn=4, epoch=7, discontinuity=0, capture_us=9, init=init, slots=[], complete=True, outage_s=1.25)
    again = from_bytes(to_bytes(empty), init, NoKeys())
    assert (again.duration_s, again.line(None).gap) == (1.25, True)
    assert read_head(to_bytes(empty)).gap


def test_a_sealed_segment_is_written_as_it_came_and_opened_when_it_is_read() -> None:
    segment, plain = sealed_segments()[0], whole_segments()[0]
    data = to_bytes(segment)
    assert all(part.data[-32:] not in data for slot in plain.slots for parts in slot.tracks.values() for part in parts)
    assert read_head(data).key_names == {b"key-100"}
    again = from_bytes(data, segment.init, FakeKeys(b"key-100"))
    assert b"".join(again.buffers(None)) == b"".join(plain.buffers(None))
    assert [slot.record for slot in again.slots] == [slot.record for slot in segment.slots]


@pytest.mark.parametrize("keys", [FakeKeys(), FakeKeys(b"key-104"), FakeKeys(b"key-105"), NoKeys()])
def test_without_one_of_its_keys_a_sealed_segment_is_a_gap_that_can_be_lent(keys: Keys) -> None:
    segment = sealed_segments()[4]
    again = from_bytes(to_bytes(segment), segment.init, keys)
    assert again.gap
    assert again.buffers(None) == []
    assert again.duration_s == segment.duration_s
    assert [slot.record for slot in again.slots] == [slot.record for slot in segment.slots]


def test_nothing_open_is_written_among_what_is_sealed() -> None:
    segment = sealed_segments()[0]
    slots = [*segment.slots[:-1], replace(segment.slots[-1], record=None)]
    with pytest.raises(MediaError):
        to_bytes(replace(segment, slots=slots))


@cache
def sound() -> bytes:
    return to_bytes(whole_segments()[0])


@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(share: float, bit: int) -> None:
    damaged = bytearray(sound())
    damaged[int(share * len(damaged))] ^= 1 << bit
    with pytest.raises(MediaError):
        from_bytes(bytes(damaged), stream().init, NoKeys())


@given(st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_noticed(share: float) -> None:
    with pytest.raises(MediaError):
        from_bytes(sound()[: int(share * len(sound()))], stream().init, NoKeys())


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda rest: b"SCS1" + bytes(4) + b"\0\0\0\x20" + rest))
def test_any_bytes_are_a_head_or_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        read_head(data)
