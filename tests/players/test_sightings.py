import pytest

from tests.players.sightings import LOOK_EVERY_S, SETTLE_S, STALL_S, Sighting, stand_stills, take_figures

BEGAN_S = 1_700_000_000.0
DELAY_S = 1.25


def looks(seconds: float, *, first_s: float = 1.0, stalled: tuple[float, float] = (0.0, 0.0)) -> list[Sighting]:
    """What is seen of a player that shows its first frame late, and stands still from .. to (in seconds)."""
    sightings = []
    for number in range(round(seconds / LOOK_EVERY_S)):
        now_s = number * LOOK_EVERY_S
        shown_s = stalled[0] if stalled[0] <= now_s < stalled[1] else now_s
        clock_s = None if now_s < first_s else BEGAN_S + shown_s - DELAY_S
        sightings.append(Sighting(BEGAN_S + now_s, clock_s))
    return sightings


def test_a_player_that_plays_has_its_delay_and_no_stall() -> None:
    figures = take_figures(looks(20), BEGAN_S)
    assert figures.plays
    assert figures.first_frame_s == pytest.approx(1.0)
    assert figures.stalls == 0
    assert figures.delay_median_s == pytest.approx(DELAY_S)
    assert figures.delay_p95_s == pytest.approx(DELAY_S)
    assert figures.blind_s == 0


def test_a_picture_that_stands_still_is_a_stall() -> None:
    figures = take_figures(looks(20, stalled=(8, 10)), BEGAN_S)
    assert figures.stalls == 1
    assert figures.stalled_s == pytest.approx(2, abs=2 * LOOK_EVERY_S)
    assert figures.plays
    assert figures.delay_p95_s == pytest.approx(DELAY_S + 1.25, abs=0.2)


def test_a_short_hesitation_is_none() -> None:
    assert stand_stills(looks(20, first_s=0, stalled=(8, 8 + STALL_S - LOOK_EVERY_S))) == []


def test_a_picture_that_never_moves_again_does_not_play() -> None:
    figures = take_figures(looks(20, stalled=(3, 20)), BEGAN_S)
    assert not figures.plays
    assert figures.stalls == 1


def test_a_screen_without_a_clock_stands_still() -> None:
    seen = looks(20)
    black = [Sighting(each.at_s, None) if 200 <= number < 240 else each for number, each in enumerate(seen)]
    assert stand_stills(black[30:]) == [pytest.approx(2, abs=2 * LOOK_EVERY_S)]


def test_nothing_is_said_of_the_time_in_which_nobody_looked() -> None:
    seen = looks(20, first_s=0)
    figures = take_figures([*seen[:200], *seen[260:]], BEGAN_S)
    assert figures.blind_s == pytest.approx(3 + LOOK_EVERY_S)
    assert figures.stalls == 0


def test_the_first_seconds_do_not_count_for_the_delay() -> None:
    late = [
        Sighting(each.at_s, each.clock_s - 3 if each.clock_s and number < SETTLE_S / LOOK_EVERY_S else each.clock_s)
        for number, each in enumerate(looks(20, first_s=0))
    ]
    assert take_figures(late, BEGAN_S).delay_p95_s == pytest.approx(DELAY_S)


def test_a_player_that_shows_nothing_has_no_figures() -> None:
    figures = take_figures(looks(5, first_s=9), BEGAN_S)
    assert not figures.plays
    assert figures.first_frame_s is None
    assert figures.delay_median_s is None
