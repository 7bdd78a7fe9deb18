"""A small swarm to which anything may happen in any order: bounds hold always, and after a quiet while all is well.

Hypothesis shrinks a failure to the shortest story; the story names the seed of its world.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.events import PieceReady
from swarm.join import KNOWN_MAX
from swarm.membership import Membership
from swarm.repair import AT_ONCE_MAX
from swarm.sim.world import World
from swarm.window import PIECES_MAX

VIEWERS_MAX = 6
HEALING_S = 35.0
"""Longer than the longest pause before an address is dialled again."""

LINES = st.sampled_from(
    [
        Line(uplink_bps=30e6),
        Line(uplink_bps=6e6, delay_s=0.03, jitter_s=0.02),
        Line(uplink_bps=20e6, loss=0.02),
    ]
)
WHICH = st.integers(0, VIEWERS_MAX - 1)


class SmallSwarm(RuleBasedStateMachine):
    """The world, and who of its viewers wants to watch at the moment."""

    @initialize(seed=st.integers(0, 999))
    def begin(self, seed: int) -> None:
        self.world = World(seed=seed)
        self.watching: list[Host] = []
        self.join(Line(uplink_bps=30e6))
        self.join(Line(uplink_bps=30e6))
        self.advance(2.0)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.all_is_well_after_a_while()

    @precondition(lambda self: len(self.watching) < VIEWERS_MAX)
    @rule(line=LINES)
    def join(self, line: Line) -> None:
        self.watching.append(self.world.add_viewer(line))

    @precondition(lambda self: self.watching)
    @rule(which=WHICH)
    def leave(self, which: int) -> None:
        host = self.watching.pop(which % len(self.watching))
        self.world.net.call(host, lambda node, now: node.leave(self.world.stream, now))

    @precondition(lambda self: self.watching)
    @rule(which=WHICH, pause_s=st.sampled_from([0.0, 0.1, 1.0]))
    def come_back(self, which: int, pause_s: float) -> None:
        world, host = self.world, self.watching[which % len(self.watching)]
        world.net.call(host, lambda node, now: node.leave(world.stream, now))
        world.run(pause_s)
        world.net.call(host, lambda node, now: node.join(world.stream, 0, (world.source.address,), now))

    @precondition(lambda self: self.watching)
    @rule(which=WHICH)
    def crash(self, which: int) -> None:
        self.world.net.kill(self.watching.pop(which % len(self.watching)))

    @rule(pieces=st.integers(1, 12))
    def burst(self, pieces: int) -> None:
        """The source publishes several pieces at once, as after a hitch of its encoder."""
        world = self.world
        for _ in range(pieces):
            number, world._number = world._number, world._number + 1
            world.published[number] = world.net.now - 0.2
            world.net.call(
                world.source,
                lambda node, now, number=number: node.publish(  # type: ignore[misc]
                    world.stream,
                    0,
                    b"%08d" % number * 2000,
                    number=number,
                    key=number % 5 == 0,
                    capture_us=int((now + 1_700_000_000) * 1e6),
                    duration_us=200_000,
                    now=now,
                ),
            )

    @rule(which=st.integers(0, VIEWERS_MAX), link=st.integers(0, 20))
    def drop_link(self, which: int, link: int) -> None:
        hosts = [*self.watching, self.world.source]
        ends = list(hosts[which % len(hosts)].ends.values())
        if ends:
            end = ends[link % len(ends)]
            self.world.net._lost(end.peer, end.peer_link)
            self.world.net._lost(end.host, end.link)

    @rule(which=WHICH)
    def cut(self, which: int) -> None:
        hosts = [*self.watching, self.world.source]
        at = which % len(hosts)
        self.world.net.cut(hosts[:at], hosts[at:])

    @rule()
    def heal(self) -> None:
        self.world.net.heal()

    @rule(on_air=st.booleans())
    def pause_or_resume(self, on_air: bool) -> None:
        self.world.on_air = on_air

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 3.0]))
    def advance(self, seconds: float) -> None:
        self.world.run(seconds)

    @invariant()
    def everything_is_bounded(self) -> None:
        for host, member in self._members():
            circle, node = member.circle, host.node
            assert len(list(circle.window.entries())) <= PIECES_MAX
            assert len(member.book.prospects) <= KNOWN_MAX + 1
            connections = node.connections
            assert len(circle.mates) <= len(connections.peers) <= len(connections.links)
            assert len(connections.links) <= circle.settings.links_max
            assert len(member._gathering._repairs.searches) <= AT_ONCE_MAX
            for feed in member.feeds.by_stripe:
                assert {feed.parent, feed.asked} - {None} <= circle.mates.keys()
            for stripe in member.outgo.nursery.colours:
                assert set(member.outgo.nursery.children(stripe)) <= circle.mates.keys()
            assert not node.faults, f"an honest peer was taken for a liar: {node.faults}"

    def all_is_well_after_a_while(self) -> None:
        world = self.world
        world.net.heal()
        world.on_air = True
        world.run(HEALING_S)
        healed_s = world.net.now
        world.run(6.0)
        due = {number for number, at in world.published.items() if healed_s <= at < world.net.now - 3.0}
        assert due
        for host in self.watching:
            got = {news.number for _, news in host.news if isinstance(news, PieceReady)}
            assert due <= got, f"seed {world.seed}: {host.name} misses {sorted(due - got)} after a quiet while"
        for host, member in self._members():
            nursery = member.outgo.nursery
            staying = {id(child): child for stripe in nursery.colours for child in nursery._staying(stripe)}
            assert len(staying) <= nursery.total, f"seed {world.seed}: {host.name} overfull"

    def _members(self) -> list[tuple[Host, Membership]]:
        found = []
        for host in [*self.watching, self.world.source] if hasattr(self, "world") else []:
            member = host.node.members.find(self.world.stream, 0)
            assert member is not None
            found.append((host, member))
        return found


SmallSwarm.TestCase.settings = settings(max_examples=12, stateful_step_count=12)
TestSmallSwarm = SmallSwarm.TestCase
