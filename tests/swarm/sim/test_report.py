"""The figures, against worlds small enough to count by hand."""

from math import inf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.events import PieceReady
from swarm.sim import report
from swarm.sim.report import due, quantile
from swarm.sim.trial import Trial
from swarm.sim.world import World
from swarm.units import StreamId
from tests.swarm.sim.conftest import SMALL


def piece(world: World, number: int) -> PieceReady:
    return PieceReady(
        stream=StreamId(world.stream),
        rendition=0,
        epoch=1,
        number=number,
        key=True,
        capture_us=0,
        duration_us=200_000,
        payload=world.payload(number),
    )


def hand_made() -> World:
    """Pieces 1 to 50, captured every 0.2 s from 0 on; one viewer since 1.0 that lacks 20 and has 21 3 s late."""
    world = World(seed=1, show=SMALL)
    world.on_air = False
    host = world.add_viewer()
    world.joined_s[host.name] = 1.0
    world.net.run_until(13.0)
    world.published.update({number: (number - 1) * 0.2 for number in range(1, 51)})
    for number in range(11, 51):
        late_s = 3.0 if number == 21 else 0.5
        if number != 20:
            host.news.append((world.published[number] + late_s, piece(world, number)))
    return world


def test_pieces_are_due_from_the_first_one_on_until_shortly_before_the_end() -> None:
    world = hand_made()
    found = dict(due(world, world.viewers[0], 0.0))
    assert set(found) == set(range(14, 51)), "captured at 2.5 s or later, the time of the first whole piece"
    assert found[20] == inf
    assert found[21] == pytest.approx(3.0)
    assert found[30] == pytest.approx(0.5)
    assert set(dict(due(world, world.viewers[0], 8.0))) == set(range(41, 51))


def test_interruptions_are_counted_by_their_length() -> None:
    world = hand_made()
    pieces = due(world, world.viewers[0], 0.0)
    assert report._glitches(world, [pieces])["<=0.5s"] == 1, "two pieces in a row"
    assert sum(report._glitches(world, [pieces]).values()) == 1
    assert report._missed(world, pieces, 0.0) == pytest.approx(0.4)
    assert report._missed(world, pieces, 5.1) == 0.0


def test_forged_pieces_are_counted() -> None:
    world = hand_made()
    host = world.viewers[0]
    assert report._forged(world, world.viewers) == 0
    at, news = host.news[-1]
    assert isinstance(news, PieceReady)
    host.news[-1] = (at, piece(world, 999))
    assert report._forged(world, world.viewers) == 1


def test_the_digest_tells_who_got_what_and_when() -> None:
    one, other = hand_made(), hand_made()
    assert report.digest(one.viewers) == report.digest(other.viewers)
    at, news = other.viewers[0].news[-1]
    other.viewers[0].news[-1] = (at + 1e-6, news)
    assert report.digest(one.viewers) != report.digest(other.viewers)


@given(st.lists(st.floats(0, 9), min_size=1), st.floats(0, 1))
def test_a_quantile_is_a_value_with_its_share_below(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= min(len(values), share * len(values))


def test_a_quantile_of_nothing_is_no_number() -> None:
    assert isnan(quantile([], 0.5))


def test_a_report_adds_up(trial: Trial) -> None:
    figures = trial.figures
    assert 0 < figures.delay_bound_p50_s <= figures.delay_bound_s < figures.delay_p50_s <= figures.delay_p99_s
    assert figures.within_1s <= figures.within_2s <= figures.within_5s <= 1
    assert figures.viewers == 12, "a fifth of 15 died"
    assert figures.overhead_total == pytest.approx(sum(figures.overhead.values()))
    assert 0 < figures.source_multiple < 4
    assert 0 < figures.upload_use < 1


def test_what_is_plain_has_no_infinities() -> None:
    assert report._plain({"a": inf, "b": [1], "c": 0.12345678}) == {"a": None, "b": [1], "c": 0.123457}
