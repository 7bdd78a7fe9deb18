"""What people read."""

from math import inf, nan

from swarm.sim.scenarios import SCENARIOS
from swarm.sim.table import KINDS, percent, seconds_text, table
from swarm.sim.trial import Trial


def test_the_table_has_every_kind_of_overhead_and_no_nan(trial: Trial) -> None:
    text = table(trial, SCENARIOS["mass-exit"], 14.0, 1.5)
    assert KINDS.keys() == trial.figures.overhead.keys()
    assert all(kind in text for kind in KINDS)
    assert trial.figures.digest in text
    assert "nan" not in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_almost_all_is_not_all() -> None:
    assert percent(1.0) == "100.00 %"
    assert percent(0.999999) == "99.99 %"
    assert percent(nan) == "-"


def test_times_that_never_come() -> None:
    assert [seconds_text(value) for value in (0.123, inf, nan)] == ["0.12", "never", "-"]
