"""Each check finds what it is there for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.drivers.line import Line
from swarm.events import PieceReady, Send, Urgency
from swarm.sim import inside, invariants
from swarm.sim.invariants import Bucket, Deliveries, Loops, Rates, Violation, Windows, check_bans, check_bounds
from swarm.sim.truth import Truth
from swarm.sim.world import World
from swarm.units import LinkId, PeerId
from tests.swarm.sim.conftest import SMALL


@pytest.fixture
def world() -> World:
    world = World(seed=2, show=SMALL)
    for _ in range(4):
        world.add_viewer(Line(uplink_bps=20e6))
    world.run(4.0)
    return world


def test_a_healthy_world_passes(world: World) -> None:
    truth = Truth(world)
    Deliveries(truth).check(world.viewers)
    Loops().check(world.viewers, world.stream, world.net.now)
    for host in (world.source, *world.viewers):
        Windows(truth).check(host, world.stream)
        check_bounds(host, world.stream)
        check_bans(host, {PeerId(world.source.identity.key)}, liars=False)


def ready(world: World) -> tuple[float, PieceReady]:
    return next((at, news) for at, news in world.viewers[0].news if isinstance(news, PieceReady))


def test_a_forged_piece_is_found(world: World) -> None:
    at, news = ready(world)
    forged = PieceReady(**{name: getattr(news, name) for name in news.__slots__} | {"payload": b"x" + news.payload[1:]})
    world.viewers[0].news = [(at, forged)]
    with pytest.raises(Violation, match=f"viewer0 handed out a forged piece {news.number}"):
        Deliveries(Truth(world)).check(world.viewers)


def test_a_piece_handed_out_twice_is_found_even_between_two_looks(world: World) -> None:
    deliveries = Deliveries(Truth(world))
    deliveries.check(world.viewers)
    world.viewers[0].news.append(ready(world))
    with pytest.raises(Violation, match="twice"):
        deliveries.check(world.viewers)


def test_a_forged_block_is_found_in_a_window_and_on_its_way_out(world: World) -> None:
    host, truth = world.viewers[0], Truth(world)
    member = inside.member(host, world.stream)
    assert member is not None
    entry = member.circle.window.get(member.circle.window.newest_complete)
    assert entry is not None
    index, message = next(iter(entry.messages.items()))
    look = invariants.tap(host, truth)
    good = Send(LinkId(1), message, Urgency.STRIPE, None)
    assert look(good) is good
    entry.messages[index] = message[:-1] + bytes([message[-1] ^ 1])
    with pytest.raises(Violation, match=f"forged block {index} of piece {entry.number}"):
        Windows(truth).check(host, world.stream)
    with pytest.raises(Violation, match="sent a forged block"):
        look(Send(LinkId(1), entry.messages[index], Urgency.STRIPE, None))


def test_an_honest_peer_banned_is_found(world: World) -> None:
    host, other = world.viewers[:2]
    host.node.connections.bans.ban(PeerId(other.identity.key), world.net.now)
    with pytest.raises(Violation, match="banned 1 honest"):
        check_bans(host, {PeerId(other.identity.key)}, liars=True)


def test_a_queue_and_a_book_beyond_their_bounds_are_found(world: World) -> None:
    host = world.viewers[0]
    host.queued_bytes = invariants.QUEUE_MAX_BYTES + 1
    with pytest.raises(Violation, match="wait at the uplink"):
        check_bounds(host, world.stream)
    host.queued_bytes = 0
    member = inside.member(host, world.stream)
    assert member is not None
    member.circle.mates.clear()
    with pytest.raises(Violation, match="no mate of it"):
        check_bounds(host, world.stream)


def make_loop(world: World, names: list[int]) -> None:
    for at, number in enumerate(names):
        member = inside.member(world.viewers[number], world.stream)
        assert member is not None
        member.feeds.by_stripe[0].parent = PeerId(world.viewers[names[at - 1]].identity.key)


def test_a_loop_may_be_but_not_stay(world: World) -> None:
    make_loop(world, [0, 1, 2])
    loops = Loops()
    loops.check(world.viewers, world.stream, 10.0)
    loops.check(world.viewers, world.stream, 14.0)
    with pytest.raises(Violation, match=r"stripe 0 for 5.5 s: viewer0, viewer1, viewer2"):
        loops.check(world.viewers, world.stream, 15.5)


def test_a_loop_that_changes_is_another_one(world: World) -> None:
    make_loop(world, [0, 1, 2])
    loops = Loops()
    loops.check(world.viewers, world.stream, 10.0)
    make_loop(world, [0, 1])
    loops.check(world.viewers, world.stream, 14.0)
    loops.check(world.viewers, world.stream, 16.0)


@given(st.dictionaries(st.integers(0, 12), st.integers(0, 12), max_size=13))
def test_rings_are_those_who_come_back_to_themselves(above: dict[int, int]) -> None:
    def comes_back(start: int) -> bool:
        at = above.get(start)
        for _ in above:
            if at == start:
                return True
            at = above.get(at) if at is not None else None
        return False

    found = invariants._rings({str(host): str(parent) for host, parent in above.items()})
    expected = {str(host) for host in above if comes_back(host)}
    assert set().union(*found) == expected
    assert sum(map(len, found)) == len(expected)


def test_a_bucket_forgives_a_burst_and_no_more(world: World) -> None:
    host = world.source
    host.sent_bytes = 0
    bucket = Bucket(rate_bps=8_000, burst_bytes=500, at_s=0.0)
    for second in range(1, 20):
        host.sent_bytes += 1000
        bucket.check(host, float(second), "its rate")
    host.sent_bytes += 1000 + 500
    bucket.check(host, 20.0, "its rate")
    host.sent_bytes += 1001
    with pytest.raises(Violation, match="501 bytes ahead of its rate"):
        bucket.check(host, 21.0, "its rate")
    assert bucket.most_bytes == 501


def test_a_cap_that_is_not_kept_is_found(world: World) -> None:
    host, rates = world.viewers[0], Rates(1e6, 3.0)
    rates.check_cap(host, 0.0)
    host.node.limit_upload(cap_bps=1e6, paused=False)
    sent = host.sent_bytes
    rates.check_cap(host, 10.0)
    host.sent_bytes = sent + int(10 * 1.05e6 / 8)
    rates.check_cap(host, 20.0)
    host.sent_bytes += 3_000_000
    with pytest.raises(Violation, match="its cap"):
        rates.check_cap(host, 21.0)
