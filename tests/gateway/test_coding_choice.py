"""The table of design rules for k and n, and what holds for any bitrate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.coding_choice import K_MAX, coding_for


@pytest.mark.parametrize(
    ("bitrate_bps", "piece_s", "coding"),
    [
        (2_500_000, 0.2, (12, 16)),
        (4_000_000, 0.2, (12, 16)),
        (20_000_000, 0.2, (24, 32)),
        (1_000_000, 0.25, (6, 8)),
        (96_000, 0.5, (2, 4)),
    ],
)
def test_usual_bitrates_get_what_the_simulations_settled_on(
    bitrate_bps: int, piece_s: float, coding: tuple[int, int]
) -> None:
    assert coding_for(bitrate_bps, piece_s) == coding


@given(st.floats(1e3, 1e9), st.floats(0.05, 2))
def test_any_bitrate_gets_a_code_that_exists(bitrate_bps: float, piece_s: float) -> None:
    k, n = coding_for(bitrate_bps, piece_s)
    assert 2 <= k <= K_MAX
    assert k + 2 <= n <= 255


@given(st.floats(1e5, 1e8), st.floats(1.0, 3.0))
def test_more_bits_never_make_fewer_blocks(bitrate_bps: float, factor: float) -> None:
    assert coding_for(bitrate_bps, 0.2)[0] <= coding_for(bitrate_bps * factor, 0.2)[0]
