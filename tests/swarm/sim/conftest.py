"""One small broadcast that many tests look at."""

import pytest

from swarm.sim.scenarios import SCENARIOS
from swarm.sim.trial import Trial, run
from swarm.sim.world import Show

SMALL = Show(k=4, n=6)


@pytest.fixture(scope="session")
def trial() -> Trial:
    return run(SCENARIOS["mass-exit"], viewers=15, seconds=16.0, seed=3, show=SMALL)
