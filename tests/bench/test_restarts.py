"""When a picture stood still, from where it was at which time; and where a push's first key frame is."""

import pytest

from tests.bench.ingest_house import KeyFrame
from tests.bench.restarts import stalls_in
from tests.gateway.media_fixture import stream


def test_a_picture_that_moves_does_not_stall() -> None:
    assert stalls_in([(n / 20, n / 20) for n in range(100)]) == []


def test_a_picture_that_stands_still_is_seen_with_its_length_also_at_the_end() -> None:
    moving = [(n / 20, n / 20) for n in range(20)]
    samples = [*moving, *((1 + n / 20, 1.0) for n in range(40)), (3.0, 1.1), *((3.05 + n / 20, 1.1) for n in range(20))]
    stalls = stalls_in(samples)
    assert [at_s for at_s, _ in stalls] == [1.0, 3.0]
    assert [length_s for _, length_s in stalls] == pytest.approx([2.0, 1.0])


def test_the_first_fragment_is_found_however_the_bytes_are_cut() -> None:
    init, part = stream().init.data, bytes(stream().parts[0].data)
    for size in (1, 3, 700):
        key = KeyFrame()
        assert not any(key.feed(init[at : at + size]) for at in range(0, len(init), size))
        assert any(key.feed(part[at : at + size]) for at in range(0, len(part), size))
