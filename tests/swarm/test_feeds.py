"""The stripes as they come in, without the rules by which parents are chosen: who feeds what, and what is overdue."""

import pytest

from swarm import wire
from swarm.adverts import short
from swarm.circle import Circle
from swarm.feeds import HOPELESS_S, STARVED_S, SUSPECT_OVERDUE_S, Feeds
from swarm.units import LinkId, Stripe
from tests.swarm.neighbours import advert, key, mate, offer
from tests.swarm.stage import TAG, Stage

N = 4
NOW = 100.0
FIRST, SECOND = Stripe(0), Stripe(1)


def scene() -> tuple[Stage, Circle, Feeds]:
    """A swarm with three neighbours, the first of which feeds me the first two stripes."""
    stage = Stage()
    stage.watch()
    circle = stage.member.circle
    circle.mates |= {key(number): mate(number) for number in (1, 2, 3)}
    feeds = Feeds(circle)
    feeds.lay(N)
    for stripe in (FIRST, SECOND):
        accepted(feeds, stripe, 1)
    return stage, circle, feeds


def accepted(feeds: Feeds, stripe: Stripe, number: int, *ancestors: bytes) -> None:
    feeds.accept(feeds.by_stripe[stripe], key(number), wire.Accept(tag=TAG, stripe=stripe, ancestors=ancestors), NOW)


def said(stage: Stage, number: int) -> list[wire.Message]:
    stage.drain()
    return stage.take(LinkId(number))


def test_feeds_are_counted_by_stripe_and_by_parent() -> None:
    _, _, feeds = scene()
    accepted(feeds, Stripe(2), 2)
    assert feeds.fed == 3
    assert feeds.parents() == {key(1), key(2)}
    assert feeds.stripes_from(key(1)) == [FIRST, SECOND]
    assert feeds.stripes_from(key(3)) == []
    assert feeds.feeding(SECOND) == (key(1),)
    assert feeds.feeding(Stripe(3)) == feeds.feeding(Stripe(N)) == ()


def test_a_new_parent_takes_the_place_of_the_old_one_which_is_told() -> None:
    stage, _, feeds = scene()
    accepted(feeds, FIRST, 2)
    assert said(stage, 1) == [wire.Unsubscribe(tag=TAG, stripe=FIRST)]
    assert feeds.parents() == {key(1), key(2)}
    assert feeds.fed == 2


def test_stripes_that_are_laid_anew_have_no_parents() -> None:
    stage, _, feeds = scene()
    feeds.lay(N + 1)
    assert said(stage, 1) == [wire.Unsubscribe(tag=TAG, stripe=stripe) for stripe in (FIRST, SECOND)]
    assert (len(feeds.by_stripe), feeds.fed, feeds.parents()) == (N + 1, 0, set())


def test_who_is_gone_feeds_nothing_and_is_waited_for_no_more() -> None:
    stage, _, feeds = scene()
    feeds.by_stripe[2].ask(key(1), NOW, 0.02)
    waiting = feeds.by_stripe[3]
    waiting.late = key(1)
    assert feeds.asked() == {key(1)}
    feeds.gone(key(1))
    assert (feeds.fed, feeds.parents(), feeds.asked()) == (0, set(), set())
    assert feeds.by_stripe[3].late is None
    assert said(stage, 1) == [], "there is nobody any more to be told"


def test_an_advert_tells_who_is_above_and_a_loop_is_left() -> None:
    stage, circle, feeds = scene()
    above = short(key(9))
    circle.roots = frozenset({above})
    parent = circle.mates[key(1)]
    assert not feeds.is_rooted(FIRST)
    parent.advertised(advert(offer(0, ancestors=(above,)), offer(1, ancestors=(above, short(circle.me)))), NOW)
    feeds.heard(parent, NOW)
    assert feeds.ancestors(FIRST) == (short(key(1)), above)
    assert feeds.is_rooted(FIRST)
    assert said(stage, 1) == [wire.Unsubscribe(tag=TAG, stripe=SECOND)]
    assert feeds.stripes_from(key(1)) == [FIRST]


@pytest.mark.parametrize(("telling", "starved"), [(1, False), (2, True)])
def test_only_when_most_neighbours_tell_of_newer_pieces_their_absence_is_anybodys_fault(
    telling: int, starved: bool
) -> None:
    _, circle, feeds = scene()
    for number in (1, 2, 3):
        circle.mates[key(number)].advertised(advert(newest=8 if number <= telling else 0), NOW)
    feeds.last_block_s = NOW
    assert feeds.starved_s(NOW + SUSPECT_OVERDUE_S / 2) == 0.0
    assert feeds.starved_s(NOW + 1.0) == (1.0 if starved else 0.0)


def test_blocks_flow_until_none_has_come_for_a_while() -> None:
    _, _, feeds = scene()
    assert not feeds.flowing(NOW)
    feeds.last_block_s = NOW
    assert feeds.flowing(NOW + STARVED_S / 2)
    assert not feeds.flowing(NOW + STARVED_S)


def test_a_stripe_is_hopeless_when_it_was_sought_for_long() -> None:
    _, _, feeds = scene()
    feeds.by_stripe[2].hungry_since_s = NOW
    assert feeds.hopes(FIRST, NOW + HOPELESS_S)
    assert feeds.hopes(Stripe(2), NOW + HOPELESS_S / 2)
    assert not feeds.hopes(Stripe(2), NOW + HOPELESS_S)


def test_delays_follow_a_clock_that_is_set() -> None:
    _, _, feeds = scene()
    feeds.by_stripe[0].delay_s = 0.25
    feeds.shift_delays(-0.125)
    assert [feed.delay_s for feed in feeds.by_stripe] == [0.125, None, None, None]
