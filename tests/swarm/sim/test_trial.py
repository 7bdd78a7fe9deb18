"""Every scenario is played in small: nothing happens that must not, and afterwards all is well."""

import pytest

from swarm.drivers.line import Line, Reach
from swarm.sim import inside
from swarm.sim.invariants import Violation
from swarm.sim.scenarios import SCENARIOS, Stage
from swarm.sim.trial import Trial, end_faults, recover, run
from swarm.sim.world import World
from swarm.units import Access
from tests.swarm.sim.conftest import SMALL


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_keeps_what_must_hold_and_recovers(name: str) -> None:
    trial = run(SCENARIOS[name], viewers=16, seconds=11.0, seed=1, show=SMALL)
    figures = trial.figures
    assert figures.pieces > 0
    assert figures.forged_delivered == figures.honest_banned == 0
    assert figures.within_5s > 0.3


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_behind_nats_everybody_finds_out_what_stands_before_it_and_is_fed(seed: int) -> None:
    trial = run(SCENARIOS["nat"], viewers=20, seconds=16.0, seed=seed, show=SMALL)
    assert trial.figures.within_2s > 0.95
    verdicts = {Reach.OPEN: {Access.OPEN, Access.CONE}, Reach.CONE: {Access.CONE}, Reach.SYMMETRIC: {Access.HARD}}
    reaches = [host.line.reach for host in trial.stage.world.viewers]
    assert [reaches.count(reach) for reach in verdicts] == [6, 10, 4]
    for host in trial.stage.world.viewers:
        found = inside.member(host, trial.stage.world.stream)
        assert found is not None
        assert found.circle.vantage.access in verdicts[host.line.reach]


def test_the_dear_checks_change_nothing() -> None:
    cheap, dear = (
        run(SCENARIOS["polluters"], viewers=10, seconds=8.0, seed=2, show=SMALL, dear=dear) for dear in (False, True)
    )
    assert cheap.figures.digest == dear.figures.digest


def test_polluters_are_banned_and_nobody_else() -> None:
    figures = run(SCENARIOS["polluters"], viewers=20, seconds=10.0, seed=1, show=SMALL).figures
    assert figures.liars > 0
    assert figures.liars_banned > 0
    assert figures.honest_banned == 0


def test_another_seed_is_another_broadcast(trial: Trial) -> None:
    again = run(SCENARIOS["mass-exit"], viewers=15, seconds=16.0, seed=3, show=SMALL)
    other = run(SCENARIOS["mass-exit"], viewers=15, seconds=16.0, seed=4, show=SMALL)
    assert again.figures == trial.figures
    assert other.figures.digest != trial.figures.digest


def stage_of(viewers: int) -> Stage:
    world = World(seed=1, show=SMALL)
    for _ in range(viewers):
        world.add_viewer(Line(uplink_bps=20e6, loss=0.01, outage_every_s=3.0))
    world.run(5.0)
    return Stage(world, SCENARIOS["loss5"], viewers, 5.0, world.net.random("stage"))


def test_faults_end_on_lines_and_links() -> None:
    stage = stage_of(4)
    stage.world.net.cut(stage.world.viewers[:1], [stage.world.source])
    end_faults(stage)
    assert stage.over
    for host in stage.world.viewers:
        assert host.line.loss == host.line.outage_every_s == 0.0
        assert all(end.loss == 0.0 for end in host.ends.values())
    assert recover(stage) < 30.0


def test_who_never_recovers_is_named() -> None:
    stage = stage_of(3)
    deaf = stage.world.viewers[1]
    deaf.temper = lambda send: None
    for end in deaf.ends.values():
        end.severed = True
    with pytest.raises(Violation, match="viewer1"):
        recover(stage)
