"""What may befall a broadcast: who watches over which lines, who comes and goes, and what goes wrong."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from swarm.drivers.line import Line, Reach
from swarm.drivers.memory import Host
from swarm.settings import NodeSettings
from swarm.sim.faults import free_rider, polluter
from swarm.sim.world import Show, World
from swarm.status import StreamStatus

Kind = TypeVar("Kind")

CLASSES = ((0.15, 0.0), (0.35, 1.0), (0.35, 3.0), (0.15, 10.0))
"""Kinds of home lines: their share, and their uplink relative to each other."""

LEAST_UPLINK_BPS = 256_000
"""A line without an upload to speak of; the acknowledgements of a video need about a third of it."""

BASE_S = 6.0
"""Everybody who is there from the beginning joins within so long."""

SETTLED_S = 15.0
"""Figures begin here: the overlay has formed, and uplinks have been tried."""

SETTLED_SHARE = 0.6
"""A run too short for that begins its figures after this share of its time."""

DECK = 20
"""Of so many viewers who come one after the other as many have each kind of line, and each kind of NAT, as the scenario
says: a swarm that luck left without the upload that its scenario names says nothing of that scenario."""

CAP_SHARE = 0.5
"""Who caps the upload gives this share of the line."""

REMEMBERED = (0.75, 1.05)
"""What a gateway remembers of its uplink, as a share of the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``upload`` is the viewers' mean uplink, ``source_multiple`` the source's, both as multiples of the stream.

    ``loss`` is each line's share of lost packets; a way between two hosts crosses two lines. ``download_only`` is the
    share of the viewers without upload who say so, ``capped`` the share of the others who set a cap, ``latecomers``
    the share of the audience that comes after the overlay has formed. ``seconds``: how long it takes to show.
    """

    name: str
    about: str
    upload: float = 2.0
    source_multiple: float = 3.0
    loss: float = 0.0015
    outage_every_s: float = 0.0
    sessions_s: float = 0.0
    free_riders: float = 0.0
    polluters: float = 0.0
    download_only: float = 0.0
    capped: float = 0.0
    latecomers: float = 0.0
    reaches: tuple[float, float, float] = (1.0, 0.0, 0.0)
    known_uplinks: float = 0.8
    event: Callable[["Stage"], None] | None = None
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What had passed at a moment: each host's counters, and the bytes on all lines by urgency."""

    statuses: dict[str, StreamStatus]
    sent_by_class: tuple[int, ...]
    sent_bytes: dict[str, int]
    published: int
    published_bytes: int


@dataclass(slots=True)
class Stage:
    """A scenario being played. ``event_s`` is when its event comes; ``liars`` maps misbehaving hosts to their kind.

    Once it is ``over``, nobody comes or goes any more. ``kinds`` and ``reaches``: the lines of those who come next, and
    what stands before them, unsorted.
    """

    world: World
    scenario: Scenario
    viewers: int
    seconds: float
    luck: Random
    event_s: float = 0.0
    watching_before: frozenset[str] = frozenset()
    liars: dict[str, str] = field(default_factory=dict)
    settled_s: float = SETTLED_S
    settled: "Traffic | None" = None
    over: bool = False
    kinds: list[float] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)

    def join(self) -> Host:
        """One more viewer on a line of a random kind, told of some members by a tracker."""
        line = self._line()
        host = self.world.add_viewer(line, self.world.tracked(self.luck), self._habits(line))
        draw = self.luck.random()
        if draw < self.scenario.free_riders:
            host.temper = free_rider()
            self.liars[host.name] = "free rider"
        elif draw < self.scenario.free_riders + self.scenario.polluters:
            host.temper = polluter(self.world.net.random(f"polluter/{host.name}"), 0.3)
            self.liars[host.name] = "polluter"
        if self.scenario.sessions_s:
            self.world.net.at(
                self.world.net.now + self.luck.expovariate(1 / self.scenario.sessions_s), self._leaver(host)
            )
        return host

    def traffic(self) -> Traffic:
        world = self.world
        hosts = [world.source, *world.viewers]
        statuses = {host.name: host.node.status(world.stream) for host in hosts}
        return Traffic(
            {name: status for name, status in statuses.items() if status is not None},
            tuple(map(sum, zip(*(host.sent_by_class for host in hosts), strict=True))),
            {host.name: host.sent_bytes for host in hosts},
            len(world.published),
            world.payload_bytes,
        )

    def arrive(self) -> None:
        if not self.over:
            self.join()

    def honest(self) -> list[Host]:
        """The viewers that are there and do as they should."""
        return [host for host in self.world.viewers if host.alive and host.name not in self.liars]

    def _leaver(self, host: Host) -> Callable[[], None]:
        """Half of those who go say good-bye; another viewer comes for each."""

        def leave() -> None:
            if not host.alive or self.over:
                return
            if self.luck.random() < 0.5:
                self.world.net.call(host, lambda node, now: node.shut_down(now))
                self.world.net.at(self.world.net.now + 0.4, lambda: self.world.net.kill(host))
            else:
                self.world.net.kill(host)
            self.join()

        return leave

    def _habits(self, line: Line) -> NodeSettings:
        """What a viewer has set."""
        scenario, settings = self.scenario, self._settings(line)
        if not scenario.download_only and not scenario.capped:
            return settings
        habit = self.world.net.random(f"habit/{len(self.world.viewers)}").random()
        if line.uplink_bps <= LEAST_UPLINK_BPS:
            return replace(settings, download_only=habit < scenario.download_only)
        return replace(settings, upload_cap_bps=CAP_SHARE * line.uplink_bps) if habit < scenario.capped else settings

    def _settings(self, line: Line) -> NodeSettings:
        """Most have watched before, and their gateway remembers about what the uplink carried then."""
        if self.luck.random() >= self.scenario.known_uplinks:
            return self.world.settings
        return replace(self.world.settings, uplink_guess_bps=line.uplink_bps * self.luck.uniform(*REMEMBERED))

    def _line(self) -> Line:
        mean = sum(share * rate for share, rate in CLASSES)
        rate = self._draw(self.kinds, CLASSES) * self.luck.uniform(0.8, 1.2)
        reach = self._draw(self.reaches, zip(self.scenario.reaches, Reach, strict=True))
        return Line(
            uplink_bps=max(LEAST_UPLINK_BPS, rate / mean * self.scenario.upload * self.world.show.bitrate_bps),
            delay_s=self.luck.uniform(0.005, 0.04),
            jitter_s=self.luck.uniform(0.002, 0.015),
            loss=self.scenario.loss,
            outage_every_s=self.scenario.outage_every_s,
            reach=reach,
        )

    def _draw(self, deck: list[Kind], kinds: Iterable[tuple[float, Kind]]) -> Kind:
        """Take one of a deck, which is laid anew when it is spent; ``kinds`` come with their shares."""
        if not deck:
            deck += [kind for share, kind in kinds for _ in range(round(share * DECK))]
        return deck.pop(int(self.luck.random() * len(deck)))


def mass_exit(stage: Stage) -> None:
    """A fifth of all viewers die at the same instant, without a word."""
    alive = [host for host in stage.world.viewers if host.alive]
    for host in stage.luck.sample(alive, len(alive) // 5):
        stage.world.net.kill(host)


def mass_exit_at_the_top(stage: Stage) -> None:
    """A fifth dies, all whom the source feeds among them, and no tracker names the source any more."""
    world = stage.world
    status = world.source.node.status(world.stream)
    fed = {peer.key for peer in status.peers if peer.stripes_to} if status else set()
    alive = [host for host in world.viewers if host.alive]
    first = [host for host in alive if host.identity.key in fed]
    others = [host for host in alive if host.identity.key not in fed]
    for host in first + stage.luck.sample(others, max(0, min(len(others), len(alive) // 5 - len(first)))):
        world.net.kill(host)


def flash(stage: Stage) -> None:
    """Within 30 s, or what is left of the time, twenty times as many viewers come."""
    have = sum(host.alive for host in stage.world.viewers)
    span_s = min(30.0, max(1.0, stage.seconds - stage.event_s - 4.0))
    for i in range(have * 19):
        stage.world.net.at(stage.event_s + span_s * i / (have * 19), stage.arrive)


def source_restart(stage: Stage) -> None:
    """The broadcaster's machine dies; a new one with the same key is on air a second later, known to some."""
    world = stage.world
    world.on_air = False

    def resume() -> None:
        world.replace_source()
        world.on_air = True
        world.tell_of_source(stage.luck)

    world.net.kill(world.source)
    world.net.at(stage.event_s + 1.0, resume)


def partition(stage: Stage) -> None:
    """For three seconds a third of the viewers is cut off from all others and from the source."""
    world = stage.world
    alive = [host for host in world.viewers if host.alive]
    inside = {host.name for host in stage.luck.sample(alive, len(alive) // 3)}
    world.net.cut(
        [host for host in alive if host.name in inside],
        [world.source, *(host for host in alive if host.name not in inside)],
    )
    world.net.at(stage.event_s + 3.0, world.net.heal)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="calm", about="everybody stays"),
        Scenario(name="churn", about="sessions of 10 minutes on average", sessions_s=600),
        Scenario(name="flash", about="twenty times the viewers within 30 s", event=flash, seconds=72.0),
        Scenario(name="mass-exit", about="a fifth dies at once", event=mass_exit),
        Scenario(
            name="top-exit", about="a fifth dies, all children of the source among it", event=mass_exit_at_the_top
        ),
        Scenario(name="loss1", about="1 % of packets lost", loss=0.005),
        Scenario(name="loss5", about="5 % of packets lost, and outages", loss=0.025, outage_every_s=20),
        Scenario(name="stress", about="churn, 1 % loss, upload 1.5x", upload=1.5, sessions_s=600, loss=0.005),
        Scenario(name="scarce", about="upload 1.1x", upload=1.1),
        Scenario(name="thrifty", about="the source gives 1.5x", source_multiple=1.5),
        Scenario(name="free-riders", about="10 % advertise and relay nothing", free_riders=0.10),
        Scenario(name="polluters", about="5 % falsify blocks", polluters=0.05),
        Scenario(name="source-restart", about="the source dies and comes back elsewhere", event=source_restart),
        Scenario(name="partition", about="a third is cut off for three seconds", event=partition),
        Scenario(name="metered", about="who has no upload says so, a fifth caps it", download_only=1.0, capped=0.2),
        Scenario(name="latecomers", about="a third comes late, one after the other", latecomers=1 / 3),
        Scenario(name="nat", about="30 % open, 50 % cone, 20 % symmetric NATs", reaches=(0.3, 0.5, 0.2)),
    )
}


def play(
    scenario: Scenario,
    *,
    viewers: int,
    seconds: float,
    seed: int,
    show: Show,
    begin: Callable[[Stage], None] | None = None,
) -> Stage:
    """Play a scenario to its end. The event comes at the middle of the time that figures are taken of.

    ``begin`` is told of the stage before anybody comes.
    """
    settings = NodeSettings(source_multiple=scenario.source_multiple)
    world = World(seed=seed, show=show, settings=settings)
    stage = Stage(world, scenario, viewers, seconds, world.net.random("stage"))
    stage.settled_s = min(SETTLED_S, SETTLED_SHARE * seconds)
    stage.event_s = stage.settled_s + (seconds - stage.settled_s) * 0.4
    if begin is not None:
        begin(stage)
    _invite(stage)
    world.net.run_until(stage.settled_s)
    stage.settled = stage.traffic()
    world.net.run_until(stage.event_s)
    stage.watching_before = frozenset(host.name for host in world.viewers if host.alive)
    if scenario.event is not None:
        scenario.event(stage)
    world.net.run_until(seconds)
    return stage


def _invite(stage: Stage) -> None:
    """Have the first viewers come within ``BASE_S``, and the latecomers over the rest of the time but the last."""
    viewers, scenario, net = stage.viewers, stage.scenario, stage.world.net
    late = int(viewers * scenario.latecomers)
    base = max(1, viewers // 20) if scenario.event is flash else viewers - late
    for i in range(base):
        net.at(0.5 + BASE_S * i / base, stage.arrive)
    for i in range(late):
        net.at(stage.settled_s + 0.7 * (stage.seconds - stage.settled_s) * i / late, stage.arrive)
