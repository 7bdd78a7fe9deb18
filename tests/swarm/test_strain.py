"""Who is late with everything dials seldom and blames nobody, and is as ever when the machine has caught up."""

from swarm import wire
from swarm.intake import ANSWER_LENIENCE_S
from swarm.settings import NodeSettings
from swarm.strain import ANY, AT_EASE_S, AT_ONCE, LATE_MOST_S, LENIENCE, REST, Strain
from swarm.stripes import ANSWER_S, MUTE_DROP_S, OVERDUE_DROP_S, OVERDUE_LOOK_S
from swarm.units import Address, LinkId
from tests.swarm.stage import Stage, accept, advert, block, piece, subscribe
from tests.swarm.test_intake import asked, deliver, fed_viewer, offers, parents, viewer

MANY = [Address(f"8.1.{number}.1", 4000) for number in range(20)]


def late(times: int, late_s: float) -> Strain:
    strain = Strain()
    for _ in range(times):
        strain.woke(late_s)
    return strain


def test_dials_are_free_while_timers_come_about_when_they_should() -> None:
    strain = late(50, AT_EASE_S)
    strain.dialled(10.0)
    assert strain.dials(10.0) == ANY


def test_the_pause_between_two_dials_grows_with_the_lateness() -> None:
    for late_s in (0.2, 1.0, LATE_MOST_S):
        strain = late(50, late_s)
        assert strain.dials(10.0) == AT_ONCE, "the first ones wait for nothing"
        for _ in range(AT_ONCE):
            strain.dialled(10.0)
        assert strain.dials(10.0 + 0.9 * REST * late_s) == 0
        assert strain.dials(10.0 + 1.1 * REST * late_s) == 1
        assert strain.dials(10.0 + 1.1 * AT_ONCE * REST * late_s) == AT_ONCE


def test_pauses_become_shorter_when_the_machine_catches_up() -> None:
    strain = late(50, LATE_MOST_S)
    for _ in range(AT_ONCE):
        strain.dialled(10.0)
    for _ in range(50):
        strain.woke(0.1)
    assert strain.dials(10.0) == 0
    assert strain.dials(10.0 + 1.1 * REST * 0.1) == 1


def test_a_machine_that_has_slept_for_hours_is_soon_at_ease() -> None:
    strain = late(1, 10_000.0)
    for _ in range(10):
        strain.woke(0.0)
    assert strain.dials(10.0) == ANY


def strained(timers: int, late_s: float) -> Stage:
    """A node whose timers have come so late, and that has a link's worth of addresses to dial."""
    stage = Stage()
    stage.watch(Address("8.2.2.2", 4000))
    for _ in range(timers):
        stage.now += late_s
        stage.pass_time(0.0)
    stage.dials.clear()
    stage.watch(*MANY)
    stage.pass_time(0.2)
    return stage


def test_a_node_that_is_late_dials_a_few_and_then_seldom() -> None:
    stage = strained(30, 1.0)
    assert len(stage.dials) == AT_ONCE
    stage.node.dial_failed(stage.dials[0].address, stage.now)
    stage.pass_time(0.2)
    assert len(stage.dials) == AT_ONCE, "what has failed brings no other at once"


def test_a_node_that_was_late_dials_as_ever_when_it_has_caught_up() -> None:
    stage = strained(30, 1.0)
    stage.pass_time(20.0)
    assert {dial.address for dial in stage.dials} >= set(MANY)


def test_a_node_that_is_never_late_dials_many_at_once() -> None:
    assert len(strained(0, 1.0).dials) > AT_ONCE


def test_lateness_is_noticed_though_something_else_comes_first() -> None:
    stage = Stage()
    stage.watch(Address("8.2.2.2", 4000))
    for _ in range(30):
        due_s = stage.node.next_timer()
        assert due_s is not None
        stage.now = due_s + 1.0
        stage.node.dial_failed(Address("8.3.3.3", 4000), stage.now)
        stage.node.handle_timer(stage.now)
        stage.drain()
    assert stage.member.circle.strain.late_s > 0.9


def test_a_node_with_nothing_to_do_for_long_was_not_late() -> None:
    stage = Stage()
    for _ in range(5):
        stage.now += 600.0
        link, _ = stage.link()
        stage.pass_time(0.1)
        stage.lose(link)
    stage.watch()
    assert stage.member.circle.strain.late_s <= AT_EASE_S


class Behind(Strain):
    """A machine that stays as far behind as it can be."""

    def __init__(self) -> None:
        super().__init__()
        self.late_s = LATE_MOST_S

    def woke(self, late_s: float) -> None:
        """Nothing changes that."""


def strain(stage: Stage) -> None:
    """From here on the machine is behind, as this swarm sees it."""
    stage.member.circle.strain = Behind()


def go_on(stage: Stage, link: LinkId, second: LinkId, seconds: float, without: int) -> None:
    """Pieces come on all stripes but one, and a second neighbour offers all."""
    strain(stage)
    for number in range(8, 8 + round(seconds / 0.2)):
        deliver(stage, link, number, without=[without])
        for stripe in parents(stage):
            stage.member.feeds.by_stripe[stripe].delay_s = 0.05  # nobody looks for a nearer one
        stage.say(second, offers())
        stage.pass_time(0.2)


def test_whoever_is_late_looks_for_no_rival_of_an_overdue_parent() -> None:
    stage, link = fed_viewer()
    second, overdue = stage.befriend(2), next(iter(parents(stage)))
    go_on(stage, link, second, OVERDUE_LOOK_S[1] + 0.4, overdue)
    assert asked(stage, second) == []
    assert overdue in parents(stage)


def test_whoever_is_late_drops_a_parent_that_owes_for_very_long() -> None:
    stage, link = fed_viewer()
    overdue = next(iter(parents(stage)))
    go_on(stage, link, stage.befriend(2), OVERDUE_DROP_S + LENIENCE * LATE_MOST_S + 1.0, overdue)
    assert overdue not in parents(stage)


def test_whoever_is_late_waits_longer_for_an_answer_but_not_for_long() -> None:
    stage, link = viewer()
    strain(stage)
    first = {request.stripe for request in asked(stage, link)}
    for feed in stage.member.feeds.by_stripe:
        feed.asked = None
    stage.pass_time(0.05)
    assert {request.stripe for request in asked(stage, link)} == first
    second = stage.befriend(2, offers())
    stage.pass_time(ANSWER_S[1] + 0.2)
    assert asked(stage, second) == []
    stage.say(second, offers())
    stage.pass_time(ANSWER_LENIENCE_S)
    assert asked(stage, second)


def test_whoever_is_late_leaves_a_parent_for_one_that_is_nearer_by_more_than_that() -> None:
    def tries(delay_s: float) -> bool:
        stage, _ = fed_viewer()
        strain(stage)
        for stripe in parents(stage):
            stage.member.feeds.by_stripe[stripe].delay_s = delay_s
        second = stage.befriend(2)
        for _ in range(50):
            stage.say(second, offers(delay_ms=10))
            stage.pass_time(0.1)
        return bool(asked(stage, second))

    assert not tries(2.0)
    assert tries(LENIENCE * LATE_MOST_S + 2.0)


def test_whoever_is_late_bears_a_parent_that_sends_nothing_for_longer() -> None:
    stage, link = viewer()
    strain(stage)
    for request in asked(stage, link):
        stage.say(link, accept(request.stripe))
    second = stage.befriend(2, offers())
    mute = next(iter(parents(stage)))

    def go_on(seconds: float) -> None:
        for _ in range(round(seconds / 0.2)):
            number = stage.member.circle.window.newest + 1 or 7
            deliver(stage, link, max(7, number), without=[mute])
            stage.say(second, offers())
            stage.pass_time(0.2)

    go_on(MUTE_DROP_S + 1.0)
    assert mute in parents(stage)


def test_whoever_is_late_asks_later_for_what_is_missing_and_before_it_is_given_up() -> None:
    def wants(seconds: float, *, late: bool) -> int:
        stage, _ = fed_viewer()
        if late:
            strain(stage)
        second = stage.befriend(2)
        stage.receive(LinkId(1), block(piece(8), next(iter(parents(stage)))))
        for _ in range(round(seconds / 0.2)):
            stage.say(second, advert(newest=8))
            stage.pass_time(0.2)
        return sum(isinstance(message, wire.Want) for message in stage.take(second))

    assert wants(0.6, late=False) > 0
    assert wants(0.6, late=True) == 0
    assert wants(NodeSettings().give_up_s - 0.2, late=True) > 0


def test_whoever_is_late_tells_of_changes_less_often() -> None:
    def told(*, late: bool) -> int:
        stage = Stage()
        stage.go_on_air()
        if late:
            strain(stage)
        links = [stage.befriend(number) for number in range(1, 20)]
        stage.pass_time(3.1)
        stage.take(links[0])
        for link in links:
            for stripe in range(6):
                stage.say(link, subscribe(stripe))
            stage.pass_time(0.1)
        return sum(isinstance(message, wire.Advert) for message in stage.take(links[0]))

    assert 1 <= told(late=True) < told(late=False)
