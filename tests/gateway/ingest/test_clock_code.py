"""The machine-readable clock: what is drawn is read, and what is not a clock is not taken for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.clock_code import BLACK, WHITE, checksum, draw_clock, read_clock

TIMES = st.integers(0, (1 << 44) - 1)


def drawn(unix_ms: int, width: int = 640, height: int = 360) -> np.ndarray:
    luma = np.full((height, width), BLACK, dtype=np.uint8)
    draw_clock(luma, unix_ms)
    return luma


@given(unix_ms=TIMES, size=st.sampled_from([(640, 360), (1280, 720), (1920, 1080), (854, 480), (320, 180), (640, 480)]))
def test_what_is_drawn_is_read_at_any_size(unix_ms: int, size: tuple[int, int]) -> None:
    assert read_clock(drawn(unix_ms, *size)) == unix_ms


@given(unix_ms=TIMES, seed=st.integers(0, 1000))
def test_noise_and_low_contrast_do_not_matter(unix_ms: int, seed: int) -> None:
    luma = drawn(unix_ms).astype(np.int16)
    noise = np.random.default_rng(seed).integers(-60, 60, luma.shape)
    assert read_clock(np.clip(luma * 0.8 + 25 + noise, 0, 255).astype(np.uint8)) == unix_ms


@pytest.mark.parametrize("level", [0, BLACK, 128, WHITE, 255])
def test_a_plain_picture_is_no_clock(level: int) -> None:
    assert read_clock(np.full((360, 640), level, dtype=np.uint8)) is None


@given(unix_ms=TIMES, cell=st.integers(0, 51))
def test_one_wrong_cell_is_noticed(unix_ms: int, cell: int) -> None:
    luma = drawn(unix_ms)
    left = 8 + 12 * cell
    luma[6:22, left : left + 12] = BLACK + WHITE - luma[6:22, left : left + 12]
    assert read_clock(luma) is None


@given(unix_ms=TIMES)
def test_the_checksum_is_the_remainder_of_a_division(unix_ms: int) -> None:
    # The same CRC by long division of polynomials: the initial value is added to the first byte.
    rest = (unix_ms ^ 0xFF << 40) << 8
    for bit in range(55, 7, -1):
        if rest >> bit & 1:
            rest ^= 0x107 << (bit - 8)
    assert checksum(unix_ms) == rest


def test_checksums_for_readers_in_other_languages() -> None:
    assert (checksum(0), checksum(1_700_000_000_000)) == (0xAF, 0x85)


def test_a_picture_too_small_for_the_cells_is_no_clock() -> None:
    assert read_clock(np.zeros((60, 100), dtype=np.uint8)) is None
