"""Periods begin on time, are announced before, never run back, and pass over what a revoked ticket may know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.errors import LocalError
from swarm.sealer import LEAD_S_MAX, Sealer, Sealing
from swarm.sealing import REVOKED_MAX, Admission, Place, SealHead, key_id, open_piece, period_secret, read_head
from swarm.units import SwarmTag

ROOT = b"r" * 32
SEALING = Sealing(admission=Admission.LINK, session=b"session1", root=ROOT, rotation_s=60)
TAG = SwarmTag(b"tag.....")
START_S = 1_700_000_000


def place(number: int, *, at_s: float = 0.0, tag: SwarmTag = TAG, epoch: int = 1) -> Place:
    return Place(tag, epoch, number, True, int((START_S + at_s) * 1e6), 200_000)


def heads(sealer: Sealer, seconds: int, first: int = 1) -> list[SealHead]:
    """The head of one piece a second."""
    return [
        read_head(sealer.seal(b"film", place(first + at, at_s=first + at), float(first + at)))[0]
        for at in range(seconds)
    ]


def test_a_period_lasts_one_rotation_and_the_next_is_announced_in_time() -> None:
    sealer = Sealer(SEALING)
    found = heads(sealer, 130)
    periods = [head.period for head in found]
    assert periods[:60] == [START_S + 1] * 60
    assert len(set(periods[60:120])) == 1
    assert found[44].next_period == 0
    assert {head.next_period for head in found[45:60]} == {periods[60]}, "15 s before the end, until the end"
    assert found[59].next_key_id == found[60].key_id == key_id(period_secret(ROOT, periods[60]))
    assert LEAD_S_MAX == 15.0


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(-10_000, 10_000)), min_size=1, max_size=30))
def test_periods_only_grow_whatever_the_wall_clock_does(steps: list[tuple[int, int]]) -> None:
    sealer, now, last, announced = Sealer(SEALING), 0.0, 0, 0
    for number, (pause_s, clock_s) in enumerate(steps, start=1):
        now += pause_s
        head, _ = read_head(sealer.seal(b"film", place(number, at_s=clock_s), now))
        assert head.period >= last
        assert head.next_period == 0 or head.next_period > head.period
        if announced and head.period != last:
            assert head.period == announced, "what was announced comes"
        last, announced = head.period, head.next_period


def test_all_renditions_of_one_number_are_sealed_under_one_period() -> None:
    sealer = Sealer(SEALING)
    other = SwarmTag(b"other...")
    sealer.seal(b"film", place(1), 0.0)
    first, _ = read_head(sealer.seal(b"film", place(2, at_s=59), 59.9))
    second, _ = read_head(sealer.seal(b"film", place(2, at_s=59, tag=other), 60.1))
    assert first.period == second.period


def test_a_number_is_sealed_once_in_a_session() -> None:
    sealer = Sealer(SEALING)
    sealer.seal(b"film", place(5), 0.0)
    for number in (5, 4):
        with pytest.raises(LocalError, match="only grow"):
            sealer.seal(b"another film", place(number), 0.2)
    sealer.begin(Sealing(admission=Admission.LINK, session=b"session2", root=ROOT))
    assert open_piece(sealer.seal(b"again", place(5), 0.4), place(5), sealer.secret(sealer.periods[0])) == b"again"


def test_an_empty_piece_is_refused() -> None:
    with pytest.raises(LocalError, match="one byte"):
        Sealer(SEALING).seal(b"", place(1), 0.0)


def test_periods_go_on_from_epoch_to_epoch() -> None:
    sealer = Sealer(SEALING)
    before = heads(sealer, 10)[-1]
    sealer.begin(Sealing(admission=Admission.LINK, session=b"session2", root=ROOT, rotation_s=60))
    after, _ = read_head(sealer.seal(b"film", place(1, at_s=11, epoch=2), 11.0))
    assert (after.period, after.session) == (before.period, b"session2")


def test_a_revoked_ticket_ends_the_period_early_and_passes_over_the_announced_one() -> None:
    sealer = Sealer(SEALING)
    announced = heads(sealer, 50)[-1].next_period
    assert announced
    sealer.revoke([b"serial 1"], 50.5)
    after = heads(sealer, 20, first=51)
    assert announced not in {head.period for head in after} | {head.next_period for head in after}
    assert after[0].revoked == (b"serial 1",)
    turn = next(at for at, head in enumerate(after) if head.period == after[0].next_period)
    assert turn == 15
    sealer.revoke([b"serial 1"], 80.0)
    assert heads(sealer, 1, first=80)[0].period == after[-1].period, "it is known already"


def test_more_tickets_than_a_piece_has_room_for_cannot_be_revoked() -> None:
    with pytest.raises(LocalError, match=str(REVOKED_MAX)):
        Sealer(SEALING).revoke([number.to_bytes(8, "big") for number in range(REVOKED_MAX + 1)], 0.0)
