"""Who is served last, and for how long."""

from swarm.standing import DEMOTED_MAX, Standing
from tests.swarm.neighbours import key


def test_a_demotion_wears_off() -> None:
    standing = Standing()
    standing.demote(key(1), 60.0)
    assert standing.is_demoted(key(1), 59.9)
    assert not standing.is_demoted(key(1), 60.0)
    assert not standing.is_demoted(key(2), 0.0)


def test_the_demoted_are_bounded_and_the_oldest_make_way() -> None:
    standing = Standing()
    for number in range(DEMOTED_MAX + 10):
        standing.demote(key(number), 60.0)
        standing.demote(key(0), 60.0)
    assert len(standing._until_s) == DEMOTED_MAX
    assert standing.is_demoted(key(0), 1.0)
    assert not standing.is_demoted(key(1), 1.0)
