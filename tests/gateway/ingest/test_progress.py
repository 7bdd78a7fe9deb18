"""What ffmpeg tells of its progress, in its own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.progress import ProgressReader


def block(out_s: float | None, *, frames: int = 25, dropped: int = 0) -> bytes:
    out = "N/A" if out_s is None else f"{round(out_s * 1e6)}"
    lines = f"frame={frames}\nfps=25.0\nbitrate=N/A\ntotal_size=48\nout_time_us={out}\nout_time_ms={out}\n"
    return f"{lines}dup_frames=2\ndrop_frames={dropped}\nspeed=1.01x\nprogress=continue\n".encode()


def test_nothing_is_known_before_it_speaks_and_no_speed_before_it_has_got_going() -> None:
    reader = ProgressReader()
    before = reader.newest
    assert before is None
    reader.feed(block(None, frames=0), 10.0)
    assert reader.newest is not None
    assert (reader.newest.frames, reader.newest.speed) == (0, None)
    reader.feed(block(1.0, dropped=3), 11.0)
    assert (reader.newest.dropped, reader.newest.duplicated, reader.newest.speed) == (3, 2, None)
    reader.feed(block(4.0), 14.0)
    assert reader.newest.speed == 1.0


def test_speed_is_that_of_the_last_seconds_and_not_of_all_time() -> None:
    reader = ProgressReader()
    for second in range(30):
        reader.feed(block(float(second)), float(second))
    for second in range(20):
        reader.feed(block(29.0 + second / 2), 29.0 + second)
    assert reader.newest is not None
    assert reader.newest.speed == pytest.approx(0.5)


def test_how_fast_it_reads_is_that_of_the_last_seconds() -> None:
    reader = ProgressReader()
    for second in range(5):
        reader.feed(block(float(second)), float(second), 200_000 + second * 125_000)
    assert reader.newest is not None
    assert (reader.newest.read_bytes, reader.newest.read_bps) == (700_000, 1_000_000)


@given(st.integers(1, 300))
def test_it_does_not_matter_how_the_words_are_cut(size: int) -> None:
    words = block(1.0, frames=40) + block(2.0, frames=65, dropped=7)
    reader = ProgressReader()
    for at in range(0, len(words), size):
        reader.feed(words[at : at + size], 1.0)
    assert reader.newest is not None
    assert (reader.newest.frames, reader.newest.dropped) == (65, 7)


@given(st.lists(st.binary(max_size=200)))
def test_whatever_it_says_is_borne(chunks: list[bytes]) -> None:
    reader = ProgressReader()
    for second, chunk in enumerate(chunks):
        reader.feed(chunk + b"progress=", float(second))
