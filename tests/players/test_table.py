from dataclasses import replace

from tests.players.play import Outcome, Play
from tests.players.plays import IN_PAGES, IN_WINDOWS
from tests.players.sightings import Figures
from tests.players.table import as_object, render_table, within_target
from tests.players.web import PLAYERS
from tests.players.windows import PROGRAMS

PLAYED = Figures(
    plays=True,
    played_s=8.0,
    first_frame_s=0.5,
    stalls=1,
    stalled_s=0.7,
    delay_median_s=1.5,
    delay_p95_s=1.9,
    blind_s=0.0,
)
PLAY = Play(player="hls.js", view="index.m3u8", target_s=1.6, p95_target_s=2.0, recommended=True)


def test_a_row_tells_how_a_player_did() -> None:
    row = render_table([(PLAY, Outcome(version="1.7", figures=PLAYED, errors=("one",), idle=0.4))]).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "hls.js", "1.7", "**`index.m3u8`**", "", "yes", "0.50", "1 (0.7 s)", "1", "1.50 / 1.90", "1.6 / 2 kept", "40%",
    ]  # fmt: skip


def test_a_row_tells_why_a_player_was_not_tried() -> None:
    row = render_table([(PLAY, Outcome(missing="npm is not installed"))]).splitlines()[-1]
    assert "npm is not installed" in row
    assert row.count("|") == render_table([]).splitlines()[0].count("|")


def test_a_target_is_missed_by_median_by_p95_and_by_not_playing() -> None:
    assert within_target(PLAY, Outcome(figures=PLAYED)) is True
    for worse in ({"delay_median_s": 1.7}, {"delay_p95_s": 2.1}, {"plays": False}):
        assert within_target(PLAY, Outcome(figures=replace(PLAYED, **worse))) is False
    assert within_target(PLAY, Outcome(missing="nothing")) is None
    assert within_target(replace(PLAY, target_s=None), Outcome(figures=PLAYED)) is None


def test_the_object_has_the_figures() -> None:
    found = as_object(PLAY, Outcome(version="1.7", figures=PLAYED))
    assert found["delay_median_s"] == 1.5
    assert found["within_target"] is True


def test_each_play_is_told_from_the_others_and_has_its_player() -> None:
    assert len({play.name for play in (*IN_PAGES, *IN_WINDOWS)}) == len(IN_PAGES) + len(IN_WINDOWS)
    assert {play.player for play in IN_PAGES} == set(PLAYERS)
    assert {play.player for play in IN_WINDOWS} == set(PROGRAMS)


def test_each_player_has_one_recommendation() -> None:
    recommended = [play.player for play in (*IN_PAGES, *IN_WINDOWS) if play.recommended]
    assert sorted(recommended) == sorted([*PLAYERS, *PROGRAMS])
