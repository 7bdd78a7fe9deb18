"""The slate's picture: as large as asked for, with the title in it whatever that is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.slate import BACKGROUND, INK, draw_slate


def pixels(data: bytes, width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    head, size, depth, rest = data.split(b"\n", 3)
    assert (head, size, depth) == (b"P5", b"%d %d" % (width, height), b"255")
    return np.frombuffer(rest, dtype=np.uint8).reshape(height, width)


@pytest.mark.parametrize("title", ["News", "A title that is as long as any that a person may think of " * 3])
def test_the_title_is_in_the_middle_and_leaves_room_at_the_sides(title: str) -> None:
    ink = pixels(draw_slate(title, width=640, height=360), 640, 360) == INK
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    assert columns[0] > 30
    assert columns[-1] < 610
    assert abs((columns[0] + columns[-1]) / 2 - 320) < 12
    assert rows[-1] < 180


@given(st.text(max_size=200), st.integers(80, 400).map(lambda n: 2 * n), st.integers(45, 300).map(lambda n: 2 * n))
def test_any_title_fits_any_picture(title: str, width: int, height: int) -> None:
    picture = pixels(draw_slate(title, width=width, height=height), width, height)
    assert (picture == BACKGROUND).mean() > 0.5
