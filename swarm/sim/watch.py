"""Looks at a broadcast at intervals while it is played: checks what must hold, and notes what the plot shows."""

from dataclasses import dataclass, field

from swarm.drivers.memory import Host
from swarm.reading import READER
from swarm.sim import inside
from swarm.sim.invariants import (
    Deliveries,
    Loops,
    Rates,
    Windows,
    check_bans,
    check_bounds,
    tap,
)
from swarm.sim.scenarios import Stage
from swarm.sim.truth import Truth
from swarm.units import PeerId

EVERY_S = 1.0
DEAR_EVERY_S = 0.1


@dataclass(slots=True)
class Found:
    """Who was found out, by whomever: names of hosts."""

    banned: set[str] = field(default_factory=set)
    avoided: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Watch:
    """The checks of one broadcast. The dear ones look ten times as often, at every block that leaves, and let every
    node verify by itself what it receives."""

    stage: Stage
    dear: bool = False
    audience: list[tuple[float, int]] = field(default_factory=list)
    found: Found = field(default_factory=Found)
    rates: Rates = field(init=False)
    _deliveries: Deliveries = field(init=False)
    _windows: Windows = field(init=False)
    _loops: Loops = field(default_factory=Loops)
    _truth: Truth = field(init=False)
    _tapped: int = 0

    def __post_init__(self) -> None:
        world = self.stage.world
        self._truth = Truth(world)
        self._deliveries = Deliveries(self._truth)
        self._windows = Windows(self._truth)
        self.rates = Rates(world.show.bitrate_bps, self.stage.scenario.source_multiple)
        if self.dear:
            world.reader = READER
        world.net.at(world.net.now, self._look)

    def check(self) -> None:
        """Raises Violation when something is as it must never be."""
        stage, world, now = self.stage, self.stage.world, self.stage.world.net.now
        alive = [host for host in world.viewers if host.alive]
        honest = [host for host in alive if host.name not in stage.liars]
        self._deliveries.check(alive)
        everybody = [world.source, *honest]
        good = {PeerId(host.identity.key) for host in (world.source, *world.viewers) if host.name not in stage.liars}
        for host in everybody:
            self._windows.check(host, world.stream)
            check_bounds(host, world.stream)
            check_bans(host, good, liars=bool(stage.liars))
            self.rates.check_cap(host, now)
        self.rates.check_source(world.source, now)
        self._loops.check(honest, world.stream, now)
        if stage.liars:
            self._note_found(everybody, now)
        self.audience.append((now, len(alive)))

    def _look(self) -> None:
        net = self.stage.world.net
        if self.dear:
            self._tap_newcomers()
        self.check()
        net.at(net.now + (DEAR_EVERY_S if self.dear else EVERY_S), self._look)

    def _tap_newcomers(self) -> None:
        viewers = self.stage.world.viewers
        for host in (self.stage.world.source, *viewers[self._tapped :]):
            if host.temper is None:
                host.temper = tap(host, self._truth)
        self._tapped = len(viewers)

    def _note_found(self, honest: list[Host], now: float) -> None:
        world = self.stage.world
        names = {PeerId(host.identity.key): host.name for host in world.viewers}
        for host in honest:
            self.found.banned.update(names[key] for key in inside.banned(host) & names.keys())
            member = inside.member(host, world.stream)
            if member is not None:
                self.found.avoided.update(names[key] for key in inside.avoided(member, now) & names.keys())
