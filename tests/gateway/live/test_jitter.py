"""The hold-back that follows from how media arrives: bounds for any arrivals, and the way up and down."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random
from urllib.parse import parse_qs, urlsplit

import m3u8
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.live import LiveWindow
from gateway.live.jitter import CALM_S, HOLD_BACK_S_MAX, PARTS_MIN, SPELL_S, SPELLS_KEPT, STEP_S, Jitter
from tests.gateway.synthetic import Broadcaster, give

PART_S = 0.2
LEAST_S = PARTS_MIN * PART_S
MEMORY_S = SPELL_S * SPELLS_KEPT


class Line:
    """A network that carries a part every 0.2 s, each as late as it is told."""

    def __init__(self) -> None:
        self.jitter = Jitter(PART_S)
        self.edge_s = 0.0
        self.shift_s = 0.0
        self._now_s = 0.0

    def carry(self, seconds: float, *lateness_s: float) -> Iterator[float]:
        """The hold-back after each part; the values of lateness are taken in turn. Order is kept, as a window does."""
        for count in range(round(seconds / PART_S)):
            self.edge_s += PART_S
            self._now_s = max(self._now_s, self.edge_s + lateness_s[count % len(lateness_s)])
            self.jitter.arrived(self._now_s, self.edge_s + self.shift_s)
            yield self.jitter.hold_back_s

    def after(self, seconds: float, *lateness_s: float) -> float:
        return list(self.carry(seconds, *lateness_s))[-1]


moments = st.floats(-1e6, 1e6)


@given(st.floats(0.01, 10), st.lists(st.one_of(st.tuples(moments, moments), st.none()), max_size=60))
def test_whatever_arrives_it_is_what_the_standard_asks_at_least_and_bounded(
    part_s: float, arrivals: list[tuple[float, float] | None]
) -> None:
    jitter = Jitter(part_s)
    for arrival in arrivals:
        if arrival is None:
            jitter.cut()
        else:
            jitter.arrived(*arrival)
        assert PARTS_MIN * part_s <= jitter.hold_back_s <= max(PARTS_MIN * part_s, HOLD_BACK_S_MAX) + STEP_S


def test_even_arrivals_leave_the_least() -> None:
    assert set(Line().carry(300, 0.3)) == {LEAST_S}


def test_one_accident_changes_nothing() -> None:
    line = Line()
    line.after(33, 0.1)
    line.after(0.2, 2.5)
    assert line.after(120, 0.1) == LEAST_S


def test_a_part_that_comes_late_every_few_seconds_counts_from_its_second_spell_on() -> None:
    line = Line()
    assert line.after(2 * SPELL_S, *[0.1] * 14, 1.5) >= PART_S + 1.4


def test_clocks_that_drift_and_a_longer_way_are_no_jitter() -> None:
    line = Line()
    drifting = [count * PART_S * 1e-3 for count in range(1500)]
    assert line.after(300, *drifting) == LEAST_S
    assert line.after(300, 0.3 + 0.8) == LEAST_S


def test_calm_is_believed_slowly_and_goes_all_the_way() -> None:
    line = Line()
    high_s = line.after(60, 0.1, 0.1, 0.1, 1.2)
    falling = list(line.carry(MEMORY_S, 0.1))
    assert min(falling) >= high_s - STEP_S * (MEMORY_S // CALM_S)
    assert line.after(CALM_S * (high_s - LEAST_S) / STEP_S + 2 * MEMORY_S, 0.1) <= LEAST_S + STEP_S + 1e-9


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.05, 3.0))
def test_it_never_swings(seed: int, most_s: float) -> None:
    """Under one kind of jitter it goes up to where it belongs and stays, but for rare steps."""
    luck = Random(seed)
    line = Line()
    settled = list(line.carry(600, *[luck.uniform(0, most_s) for _ in range(3000)]))[600:]
    changes = sum(one != other for one, other in pairwise(settled))
    assert changes <= 600 / CALM_S


def test_a_discontinuity_is_not_taken_for_jitter() -> None:
    line = Line()
    for _ in range(20):
        line.after(7, 0.1)
        line.shift_s -= 5.0
        line.jitter.cut()
    assert line.jitter.hold_back_s == LEAST_S


def hold_back_of(window: LiveWindow, asked_s: float | None = None) -> float:
    playlist = m3u8.loads(window.playlist(None, hold_back_s=asked_s).decode())
    return float(playlist.server_control.part_hold_back)


def asked_by(index: bytes) -> list[float | None]:
    """The hold-back that each playlist of a multivariant one is asked for with; None for none."""
    text = index.decode()
    uris = re.findall(r'^(\w[^\s]*)$|URI="([^"]+)"', text, re.MULTILINE)
    queries = [urlsplit(first or second).query for first, second in uris]
    return [float(parse_qs(query)["hold_back"][0]) if query else None for query in queries]


def test_players_begin_further_back_where_media_comes_unevenly_and_no_playlist_changes_its_promise() -> None:
    broadcaster, now_s = Broadcaster(), 0.0
    window = LiveWindow(clock=lambda: now_s)
    window.set_description(broadcaster.epoch, broadcaster.description)
    for count in range(150):
        now_s = max(now_s, count * PART_S + (1.5 if count % 20 == 19 else 0.1))
        give(window, broadcaster.make())
        if count == 5:
            assert asked_by(window.index()) == [None]
    least_s = 3 * window.rhythm.part_target_s
    (asked_s,) = asked_by(window.index())
    assert asked_s is not None
    assert asked_s >= 1.4 + window.rhythm.part_target_s
    assert asked_by(window.tracks_index()) == [asked_s, asked_s]
    assert (hold_back_of(window), hold_back_of(window, asked_s), hold_back_of(window, 0.1)) == (
        least_s,
        asked_s,
        least_s,
    )


def test_a_report_names_the_playlist_that_the_multivariant_one_names() -> None:
    broadcaster = Broadcaster()
    window = LiveWindow()
    window.set_description(broadcaster.epoch, broadcaster.description)
    give(window, broadcaster.make())
    sound = next(info.track for info in window.tracks if info.kind == "audio")
    report = f'#EXT-X-RENDITION-REPORT:URI="track-{window.tracks[0].track}.m3u8?hold_back=1.2",'
    assert report in window.playlist(sound, hold_back_s=1.2).decode()


def test_playlists_hold_players_back_as_far_as_the_broadcaster_wishes() -> None:
    broadcaster = Broadcaster()
    window = LiveWindow()
    window.set_description(broadcaster.epoch, replace(broadcaster.description, hold_back_s=2.5))
    give(window, broadcaster.make())
    assert hold_back_of(window) == 2.5
    assert asked_by(window.index()) == [None]


def test_an_encoder_that_starts_anew_is_no_jitter() -> None:
    broadcaster, now_s = Broadcaster(), 0.0
    window = LiveWindow(clock=lambda: now_s)
    for _ in range(10):
        window.set_description(broadcaster.epoch, broadcaster.description)
        for _ in range(30):
            now_s += PART_S
            give(window, broadcaster.make())
        broadcaster.begin_epoch(pause_us=500_000, lengths=(5,))
    assert asked_by(window.index()) == [None]
