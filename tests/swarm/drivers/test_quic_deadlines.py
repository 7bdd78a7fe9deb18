"""One timer for many links: nobody comes up late, nobody twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.drivers.quic.connection import Connection, make_profile
from swarm.drivers.quic.deadlines import NEVER, Deadlines
from swarm.drivers.quic.link import QuicLink
from swarm.units import Address, LinkId

PROFILE = make_profile(bytes(32))


def _links(count: int) -> list[QuicLink]:
    connection = Connection.accept(PROFILE, bytes(8))
    return [
        QuicLink(LinkId(number), connection, Address("", 0), dialled=False, expected=None, now=0.0)
        for number in range(count)
    ]


def test_the_earliest_comes_first_and_each_once() -> None:
    deadlines, (ann, bob) = Deadlines(), _links(2)
    assert deadlines.next_s() == NEVER
    deadlines.arm(ann, 5.0)
    deadlines.arm(bob, 3.0)
    deadlines.arm(ann, 2.0)
    assert deadlines.next_s() == 2.0
    assert deadlines.due(4.0) == [ann, bob]
    assert deadlines.due(9.0) == []


def test_a_timer_that_moves_back_is_looked_at_when_it_would_have_been_due() -> None:
    deadlines, (ann,) = Deadlines(), _links(1)
    deadlines.arm(ann, 1.0)
    deadlines.arm(ann, 7.0)
    assert deadlines.due(1.0) == [ann]
    assert deadlines.next_s() == NEVER


def test_a_disarmed_link_stays_quiet() -> None:
    deadlines, (ann,) = Deadlines(), _links(1)
    deadlines.arm(ann, 1.0)
    deadlines.disarm(ann)
    assert deadlines.due(9.0) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.booleans()), max_size=60))
@settings(deadline=None)
def test_every_link_comes_up_by_the_time_it_was_armed_for(steps: list[tuple[int, int, bool]]) -> None:
    deadlines, links = Deadlines(), _links(4)
    armed: dict[int, int] = {}
    for number, at_s, ask in steps:
        if ask:
            due = [int(link.id) for link in deadlines.due(at_s)]
            assert sorted(due) == sorted(other for other, earliest in armed.items() if earliest <= at_s)
            for other in due:
                del armed[other]
        else:
            deadlines.arm(links[number], at_s)
            armed[number] = min(at_s, armed.get(number, at_s))
        assert deadlines.next_s() == min(armed.values(), default=NEVER)
