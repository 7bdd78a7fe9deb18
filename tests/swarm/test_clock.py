"""The source's clock as seen from here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.clock import DEPTH_UNKNOWN, OFFSET_US_MAX, RTT_TRUSTED_S, measure, source_offset
from swarm.peers import ADVERT_FRESH_S, Mate
from swarm.wire import Pong
from tests.swarm.neighbours import advert, mate
from tests.swarm.strategies import I64

S = 1_000_000


def believer(number: int, offset_us: int, *, depth: int = 0, measured_us: int | None = 0) -> Mate:
    found = mate(number, advert(clock_depth=depth, clock_offset_us=offset_us))
    found.peer.clock_offset_us = measured_us
    return found


def test_the_offset_is_measured_halfway_between_ping_and_pong() -> None:
    peer = mate(1).peer
    measure(peer, Pong(sent_us=100 * S, wall_us=160 * S), 101 * S)
    assert peer.clock_offset_us == 59_500_000


@pytest.mark.parametrize("now_us", [100 * S - 1, 100 * S + int(RTT_TRUSTED_S * S) + 1], ids=["before", "too slow"])
def test_a_pong_out_of_time_tells_nothing(now_us: int) -> None:
    peer = mate(1).peer
    measure(peer, Pong(sent_us=100 * S, wall_us=160 * S), now_us)
    assert peer.clock_offset_us is None


def test_nobody_knows_at_first() -> None:
    assert source_offset([], 0.0) == (0, DEPTH_UNKNOWN)
    assert source_offset([mate(1), believer(2, 5, depth=DEPTH_UNKNOWN)], 0.0) == (0, DEPTH_UNKNOWN)
    assert source_offset([believer(1, 5, measured_us=None)], 0.0) == (0, DEPTH_UNKNOWN)


def test_belief_is_one_hop_deeper_than_the_neighbours() -> None:
    assert source_offset([believer(1, 5, depth=0, measured_us=7)], 0.0) == (12, 1)


def test_belief_does_not_go_on_for_ever() -> None:
    assert source_offset([believer(1, 5, depth=DEPTH_UNKNOWN - 1)], 0.0) == (0, DEPTH_UNKNOWN)


@given(I64)
def test_one_liar_does_not_move_the_median(lie_us: int) -> None:
    honest = [believer(number, 1000 + number) for number in range(4)]
    offset_us, _ = source_offset([*honest, believer(9, lie_us)], 0.0)
    assert 1000 <= offset_us <= 1003


def test_a_stale_advert_is_not_believed() -> None:
    assert source_offset([believer(1, 5)], ADVERT_FRESH_S) == (0, DEPTH_UNKNOWN)


@given(I64, I64, I64, st.integers(0, 1 << 62))
def test_whatever_is_said_the_offset_fits_its_field(said_us: int, sent_us: int, wall_us: int, now_us: int) -> None:
    alone = believer(1, said_us, measured_us=None)
    measure(alone.peer, Pong(sent_us=sent_us, wall_us=wall_us), now_us)
    offset_us, _ = source_offset([alone], 0.0)
    assert abs(offset_us) <= 2 * OFFSET_US_MAX < 1 << 63


def test_a_clock_that_starts_in_1970_is_measured() -> None:
    peer = mate(1).peer
    measure(peer, Pong(sent_us=1_700_000_000 * S, wall_us=0), 1_700_000_000 * S)
    assert peer.clock_offset_us == -1_700_000_000 * S
