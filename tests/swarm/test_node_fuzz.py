"""Whatever comes on whatever link, nothing is raised and everything stays bounded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from swarm import wire
from swarm.units import Address, LinkId, PeerId
from tests.swarm.stage import TAG, Stage, accept, actor, advert, block, manifest, offer, piece, subscribe
from tests.swarm.strategies import messages, swarm_messages

HOME = Address("10.1.1.1", 4000)


def busy_stage() -> tuple[Stage, list[LinkId]]:
    """A node with a link in each state: accepted, dialled, introduced, mate, parent and child."""
    stage = Stage()
    stage.watch(HOME)
    accepted, _ = stage.link()
    dialled, _ = stage.link(dialled=PeerId(actor(1).key))
    introduced = stage.meet(actor(2))
    mate = stage.befriend(3)
    offers = [offer(stripe) for stripe in range(6)]
    parent = stage.befriend(4, manifest(), advert(*offers))
    stage.pass_time(0.3)
    for stripe in range(6):
        stage.say(parent, accept(stripe))
    stage.receive(parent, block(piece(7), 0), block(piece(7), 1))
    child = stage.befriend(5)
    stage.pass_time(0.5)
    for stripe in range(6):
        stage.say(child, subscribe(stripe))
    return stage, [accepted, dialled, introduced, mate, parent, child]


PAYLOADS = st.one_of(
    st.binary(max_size=300),
    messages().map(wire.encode),
    swarm_messages(st.just(TAG)).map(wire.encode),
    st.builds(block, st.builds(piece, st.integers(1, 2000), epoch=st.integers(0, 3)), st.integers(0, 5)),
    st.builds(block, st.builds(piece, st.integers(5, 9), k=st.integers(1, 2), n=st.integers(2, 9)), st.integers(0, 1)),
    st.builds(manifest, st.integers(0, 3), st.integers(0, 3), k=st.integers(1, 3), n=st.integers(3, 9)).map(
        wire.encode
    ),
)


def mutated(data: bytes, place: int, value: int, kept: int) -> bytes:
    if not data:
        return data
    at = place % len(data)
    return (data[:at] + bytes([value]) + data[at + 1 :])[: kept or None]


MUTATED = st.builds(mutated, PAYLOADS, st.integers(0, 500), st.integers(0, 255), st.sampled_from([0, 0, 0, 1, 9, 50]))


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 5), PAYLOADS | MUTATED, st.sampled_from([0.0, 0.0, 0.1, 1.0])), max_size=12))
def test_whatever_comes_on_whatever_link_nothing_is_raised(script: list[tuple[int, bytes, float]]) -> None:
    stage, links = busy_stage()
    for which, data, seconds in script:
        stage.receive(links[which], data)
        stage.pass_time(seconds)
    stage.pass_time(3.0)
    member = stage.member
    assert len(list(member.circle.window.entries())) <= 96
    assert len(member.book.prospects) <= 257
    assert len(member.circle.mates) <= 6


@settings(max_examples=25)
@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_liar_about_the_time_cannot_make_us_say_what_does_not_fit(offset_us: int, wall_us: int) -> None:
    stage = Stage()
    stage.watch()
    link = stage.befriend(1, manifest())
    (ping,) = [message for message in stage.take(link) if isinstance(message, wire.Ping)]
    stage.say(link, wire.Pong(sent_us=ping.sent_us, wall_us=wall_us), advert(offer(0), clock_offset_us=offset_us))
    stage.pass_time(2.0)
    assert any(isinstance(message, wire.Advert) for message in stage.take(link))
