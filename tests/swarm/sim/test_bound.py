"""The bound is right where it can be worked out by hand, and moves the right way elsewhere."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.sim.bound import Task, least_delay_s

# A block of 1000 bytes takes the source 1 ms, and 10 ms to the middle of the net.
TASK = Task(
    piece_s=0.2, k=4, block_bytes=1000, source_bps=8e6, source_blocks=1_000_000, source_delay_s=0.01
)  # fmt: skip


def test_one_host_waits_for_k_blocks_and_the_way() -> None:
    assert least_delay_s(TASK, [0.0], [0.02], 1.0) == pytest.approx(0.2 + 4 * 0.001 + 0.01 + 0.02)


def test_hosts_without_upload_are_served_by_the_source_one_after_the_other() -> None:
    assert least_delay_s(TASK, [0.0] * 10, [0.02] * 10, 1.0) == pytest.approx(0.2 + 40 * 0.001 + 0.03)
    assert least_delay_s(TASK, [0.0] * 10, [0.02] * 10, 0.5) == pytest.approx(0.2 + 20 * 0.001 + 0.03)


def test_a_source_with_too_few_blocks_never_serves_all() -> None:
    assert least_delay_s(replace(TASK, source_blocks=39), [0.0] * 10, [0.02] * 10, 1.0) == float("inf")


def test_one_relay_halves_the_work() -> None:
    # From 5 + 20 ms + 1 ms + 20 ms on, the relay's copies come at the source's rate beside the source's own.
    alone = least_delay_s(TASK, [0.0] * 200, [0.02] * 200, 1.0)
    helped = least_delay_s(TASK, [8e6] + [0.0] * 199, [0.02] * 200, 1.0)
    assert alone == pytest.approx(0.2 + 0.8 + 0.03)
    assert helped == pytest.approx(0.2 + 0.03 + (0.8 + 0.041) / 2, abs=0.002)


@given(
    uplinks=st.lists(st.floats(0, 5e7), min_size=1, max_size=30),
    share=st.floats(0.05, 1.0),
    factor=st.floats(1.0, 5.0),
)
def test_more_upload_and_fewer_hosts_never_take_longer(uplinks: list[float], share: float, factor: float) -> None:
    ways = [0.01 + 0.001 * at for at in range(len(uplinks))]
    bound = least_delay_s(TASK, uplinks, ways, share)
    slack = TASK.block_bytes * 8 / TASK.source_bps
    assert bound >= TASK.piece_s + TASK.k * slack
    assert least_delay_s(TASK, [rate * factor for rate in uplinks], ways, share) <= bound + slack
    assert least_delay_s(TASK, uplinks, ways, share / 2) <= bound + 1e-9


def test_nobody_waits_for_nothing() -> None:
    assert least_delay_s(TASK, [], [], 0.99) == TASK.piece_s
