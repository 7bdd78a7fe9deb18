"""How late a push comes by its own clock, of boxes that are written here with known times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.reference_times import ReferenceTimes
from gateway.media.boxes import make_box
from gateway.media.parts import Prft
from gateway.media.splitter import PartSplitter, write_prft
from tests.gateway.media_fixture import stream

NOW_US = 1_800_000_000_000_000
PART_US = 200_000


def push(late_us: list[int], *, lead: bool = True) -> list[tuple[bytes, int]]:
    """Each fragment with its arrival: by the producer's clock so many microseconds after its last frame."""
    init = stream().init
    track = init.lead if lead else next(track for track in init.tracks if track is not init.lead)
    chunks = [(init.data, NOW_US)]
    for number, late in enumerate(late_us):
        captured_us = NOW_US + number * PART_US
        media_time = 90_000 + number * PART_US * track.timescale // 1_000_000
        time = write_prft(Prft(track=track.track, wallclock_us=captured_us, media_time=media_time))
        fragment = time + make_box(b"moof", bytes(40)) + make_box(b"mdat", bytes(500))
        chunks.append((fragment, captured_us + PART_US + late))
    return chunks


def said(chunks: list[tuple[bytes, int]]) -> list[int]:
    times = ReferenceTimes()
    return [delay for data, now_us in chunks if (delay := times.feed(data, now_us)) is not None]


def test_the_smallest_delay_counts() -> None:
    delays = said(push([700_000, 300_000, 400_000, 350_000]))
    assert delays == [pytest.approx(700_000, abs=50), pytest.approx(300_000, abs=50), pytest.approx(300_000, abs=50)]


def test_a_smallest_delay_of_long_ago_does_not_count() -> None:
    assert said(push([100_000] + [500_000] * 40))[-1] == pytest.approx(500_000, abs=50)


def test_times_of_sound_are_passed_over() -> None:
    assert said(push([300_000] * 3, lead=False)) == []


@given(st.integers(1, 700))
def test_it_does_not_matter_how_the_bytes_are_cut(step: int) -> None:
    whole = push([300_000] * 4)
    cut = [(data[at : at + step], now_us) for data, now_us in whole for at in range(0, len(data), step)]
    assert said(cut) == said(whole)


@given(st.binary(max_size=200))
def test_what_is_damaged_says_nothing(data: bytes) -> None:
    times = ReferenceTimes()
    times.feed(data, NOW_US)
    times.feed(make_box(b"prft", data), NOW_US)
    times.feed(make_box(b"moov", data), NOW_US)


@given(st.integers(0, 4_000_000_000_000_000), st.integers(1, 9), st.integers(0, 1 << 60))
def test_a_time_that_is_written_is_read_again(wallclock_us: int, track: int, media_time: int) -> None:
    time = Prft(track=track, wallclock_us=wallclock_us, media_time=media_time)
    (read,) = PartSplitter().feed(write_prft(time))
    assert isinstance(read, Prft)
    assert (read.track, read.media_time) == (track, media_time)
    assert read.wallclock_us == wallclock_us
