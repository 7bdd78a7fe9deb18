"""The course of a broadcast."""

from swarm.sim.series import most_finite
from swarm.sim.trial import Trial


def test_each_second_stands_once_and_the_exit_is_seen(trial: Trial) -> None:
    times = [second.at_s for second in trial.seconds]
    assert times == sorted(set(times))
    assert max(second.viewers for second in trial.seconds) == 15
    assert trial.seconds[-1].viewers == 12
    assert all(0 <= second.within_1s <= second.within_2s <= 1 for second in trial.seconds)


def test_the_greatest_finite_value() -> None:
    assert most_finite([1.0, float("inf"), 2.0]) == 2.0
    assert most_finite([]) == 0.0
