"""Players in pages: hls.js, Shaka, dash.js, video.js and the browser's own <video>, in a real Chromium."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as TooLate

from tests.e2e.browser import complaints, open_page
from tests.players.play import FIRST_FRAME_WITHIN_S, Outcome, Play, Venue
from tests.players.sightings import LOOK_EVERY_S, Sighting, take_figures

PLAYERS = ("hls.js", "Shaka", "dash.js", "video.js", "<video>")
SIZE = (640, 360)


def play_in_page(browser: Browser, pages_url: str, play: Play, venue: Venue) -> Outcome:
    """Open a page of its own, play for the venue's time from the first frame on, take a picture of it."""
    with playing_in_page(browser, pages_url, play, venue) as finish:
        return finish()


@contextmanager
def playing_in_page(browser: Browser, pages_url: str, play: Play, venue: Venue) -> Iterator[Callable[[], Outcome]]:
    """The same in two steps, for several pages at once: it plays, and how it went is told when it has had its time."""
    with open_page(browser, f"{pages_url}/page/index.html", size=SIZE) as page:
        printed = complaints(page)
        page.wait_for_function("() => window.watch")
        options = json.loads(play.options or "{}")
        begun = page.evaluate(
            "(words) => watch.begin(...words)", [play.player, venue.url(play), options, LOOK_EVERY_S * 1000]
        )

        def finish() -> Outcome:
            _watch(page, venue.seconds)
            page.screenshot(path=venue.picture(play))
            seen, errors = page.evaluate("() => { watch.end(); return [watch.sightings, watch.errors]; }")
            sightings = [Sighting(at / 1000, None if clock is None else clock / 1000) for at, clock in seen]
            return Outcome(
                version=begun["version"] or browser.version,
                figures=take_figures(sightings, begun["began_ms"] / 1000),
                errors=tuple(errors + printed),
            )

        yield finish


def _watch(page: Page, seconds: float) -> None:
    try:
        page.wait_for_function("() => watch.shownFor_ms() !== null", timeout=FIRST_FRAME_WITHIN_S * 1000)
    except TooLate:
        return
    left_ms = seconds * 1000 - page.evaluate("watch.shownFor_ms()")
    page.wait_for_timeout(max(left_ms, 0))
