"""A broadcast on trial: played under watch, its figures taken, then its faults ended, after which all must be well."""

from dataclasses import dataclass, replace
from itertools import takewhile

from swarm.drivers.line import Weather
from swarm.drivers.memory import Host
from swarm.events import PieceReady
from swarm.sim.invariants import Violation
from swarm.sim.report import Report, report
from swarm.sim.scenarios import Scenario, Stage, play
from swarm.sim.series import Second, seconds_of
from swarm.sim.watch import Watch
from swarm.sim.world import Show

LIVENESS_S = 40.0
"""So long after the last fault everybody gets everything again; an address may rest 30 s before it is dialled anew."""

WHOLE_S = 1.0
"""Everything: each piece that was captured within so long."""

LOOK_EVERY_S = 0.5
ENOUGH_UPLOAD = 2.0
"""Where those who are left carry less of the stream on average, all lines are widened to this: too little upload,
chosen so or left over by luck, is a fault as well."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it; ``recovered_s`` is how long after the last fault everybody got everything."""

    stage: Stage
    figures: Report
    seconds: list[Second]
    recovered_s: float


def run(scenario: Scenario, *, viewers: int, seconds: float, seed: int, show: Show, dear: bool = False) -> Trial:
    """Play a scenario and let it recover. Raises Violation when something is as it must not be."""
    watches: list[Watch] = []
    stage = play(
        scenario,
        viewers=viewers,
        seconds=seconds,
        seed=seed,
        show=show,
        begin=lambda stage: watches.append(Watch(stage, dear)),
    )
    watch = watches[0]
    watch.check()
    figures, course = report(stage, watch), seconds_of(stage, watch.audience)
    return Trial(stage, figures, course, recover(stage))


def recover(stage: Stage) -> float:
    """End all faults, and wait until every honest viewer gets each piece of a second; seconds that this took."""
    world = stage.world
    ended_s = world.net.now
    end_faults(stage)
    while world.net.now < ended_s + LIVENESS_S + 2 * WHOLE_S:
        world.run(LOOK_EVERY_S)
        well_s = _all_well_since(stage, ended_s)
        if well_s is not None and well_s <= ended_s + LIVENESS_S:
            return well_s - ended_s
    due = {number for number, at in world.published.items() if ended_s <= at <= ended_s + LIVENESS_S}
    lacking = [host.name for host in stage.honest() if due - _got_since(host, ended_s)]
    raise Violation(
        f"{LIVENESS_S:.0f} s after the last fault pieces are still missing, "
        f"at one time or other at {len(lacking)} viewers: {', '.join(lacking[:5])}"
    )


def end_faults(stage: Stage) -> None:
    """Nobody comes, goes or lies any more; nothing is cut or lost, and the lines carry enough for all."""
    world, honest = stage.world, stage.honest()
    upload_bps = sum(host.line.uplink_bps for host in honest) / max(1, len(honest))
    widen = max(1.0, ENOUGH_UPLOAD * world.show.bitrate_bps / max(1.0, upload_bps))
    stage.over = True
    world.net.heal()
    for host in world.viewers:
        if host.alive:
            _mend(host, widen)
            if host.name in stage.liars:
                host.temper = None


def _mend(host: Host, widen: float) -> None:
    line = host.line
    host.line = replace(line, uplink_bps=line.uplink_bps * widen, loss=0.0, outage_every_s=0.0)
    host.weather = Weather(host.line, host.rng)
    for end in host.ends.values():
        end.loss = 0.0


def _all_well_since(stage: Stage, ended_s: float) -> float | None:
    """The capture of the first piece after ``ended_s`` from which on, for ``WHOLE_S``, every honest viewer has all."""
    world = stage.world
    had = [_got_since(host, ended_s) for host in stage.honest()]
    begin_s = None
    for number, at in world.published.items():
        if at < ended_s:
            continue
        if not all(number in got for got in had):
            begin_s = None
        elif begin_s is None:
            begin_s = at
        if begin_s is not None and at + world.show.piece_s >= begin_s + WHOLE_S - 1e-6:
            return begin_s
    return None


def _got_since(host: Host, since_s: float) -> set[int]:
    """The pieces that a viewer was given since a time."""
    recent = takewhile(lambda told: told[0] >= since_s, reversed(host.news))
    return {news.number for _, news in recent if isinstance(news, PieceReady)}
