"""One play after the other, each with a browser page or a screen of its own."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserTrouble

from tests.conftest import CHROMIUM_NAMES
from tests.e2e.browser import open_browser
from tests.players.npm import install_players
from tests.players.page_server import serve_pages
from tests.players.play import Outcome, Play, Venue
from tests.players.screen import open_screen
from tests.players.table import Row
from tests.players.web import play_in_page
from tests.players.windows import play_in_window

BLIND_S_MAX = 1.0
"""When the machine was busy elsewhere for longer, a play is repeated."""
CHANCES = 3

WITHOUT_NPM = ("hls.js", "<video>")
"""The gateway's own page brings hls.js; a browser brings <video>."""


def play_in_pages(plays: Sequence[Play], venue: Venue) -> Iterator[Row]:
    """Each play with its outcome, as they come, in one Chromium."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        yield from ((play, Outcome(missing="Chromium is not installed")) for play in plays)
        return
    packages = install_players()
    with open_browser(chromium) as browser, serve_pages(packages) as pages_url:
        for play in plays:
            if packages is None and play.player not in WITHOUT_NPM:
                yield play, Outcome(missing="npm is not installed")
            else:
                yield play, _undisturbed(partial(_play_in_page, browser, pages_url, play, venue))


def play_in_windows(plays: Sequence[Play], venue: Venue) -> Iterator[Row]:
    """Each play with its outcome, as they come."""
    for play in plays:
        yield play, _undisturbed(partial(_play_in_window, play, venue))


def _play_in_page(browser: Browser, pages_url: str, play: Play, venue: Venue) -> Outcome:
    try:
        return play_in_page(browser, pages_url, play, venue)
    except BrowserTrouble as trouble:
        return Outcome(missing=f"the page broke: {str(trouble).splitlines()[0]}")


def _play_in_window(play: Play, venue: Venue) -> Outcome:
    with open_screen() as screen:
        return Outcome(missing="Xvfb is not installed") if screen is None else play_in_window(screen, play, venue)


def _undisturbed(attempt: Callable[[], Outcome]) -> Outcome:
    """The first outcome at which the machine was not busy with something else; the last one otherwise."""
    outcome = _with_idle(attempt)
    for _ in range(CHANCES - 1):
        if outcome.figures is None or outcome.figures.blind_s <= BLIND_S_MAX:
            break
        outcome = _with_idle(attempt)
    return outcome


def _with_idle(attempt: Callable[[], Outcome]) -> Outcome:
    before_idle, before_all = _processor_time()
    outcome = attempt()
    after_idle, after_all = _processor_time()
    return replace(outcome, idle=(after_idle - before_idle) / max(after_all - before_all, 1))


def _processor_time() -> tuple[int, int]:
    """Idle and all time of the machine's processors up to now, in clock ticks (proc(5), the first line of stat)."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    ticks = [int(word) for word in first.split()[1:9]]
    return ticks[3], sum(ticks)
