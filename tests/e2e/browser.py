"""Drives a real Chromium: opens the start page and reads what the page measures about itself.

Used by the end-to-end tests and by the benchmark. Playwright's synchronous interface runs an event loop of its own, so
nothing else may run one in the same thread while a browser is open.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""A moving picture and a beep, which pages may have without asking."""
# A page that looks hidden presents no frames, and a busy machine's Chromium likes to take windows for hidden.
KEEP_AWAKE = (
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a page has measured so far."""

    state: str
    delays_s: tuple[float, ...]
    delay_source: str | None
    stalls: int
    first_frame_s: float | None
    frames: int
    rate: float
    position_s: float


@contextmanager
def open_browser(executable: str, *, flags: Sequence[str] = ()) -> Iterator[Browser]:
    """A headless Chromium, gone with all its processes at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            headless=True,
            args=[*FLAGS, *KEEP_AWAKE, *flags],
            ignore_default_args=["--headless"],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = (1280, 900),
    colours: Literal["light", "dark"] = "light",
) -> Iterator[Page]:
    """A page in a profile of its own, open at `url` once its files are loaded."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colours,
    )
    try:
        page = context.new_page()
        page.goto(url, wait_until="domcontentloaded")
        yield page
    finally:
        context.close()


def complaints(page: Page) -> list[str]:
    """A list that fills with the errors that the page prints or throws from now on."""
    found: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            found.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def wait_for_first_frame(page: Page, timeout_s: float = 30.0) -> float:
    """Seconds from opening the page to its first frame; playwright's TimeoutError when none comes."""
    page.wait_for_function(
        "() => window.seedcast && window.seedcast.firstFrameSeconds !== null", timeout=timeout_s * 1000
    )
    return float(page.evaluate("window.seedcast.firstFrameSeconds"))


def wait_for_playback(page: Page, duration_s: float, timeout_s: float | None = None) -> None:
    """Returns when the picture has moved on by `duration_s` from where it is now."""
    begin_s = float(page.evaluate("window.seedcast.currentTime"))
    page.wait_for_function(
        "(end) => window.seedcast.currentTime >= end",
        arg=begin_s + duration_s,
        timeout=1000 * (timeout_s if timeout_s is not None else 2 * duration_s + 20),
    )


def watched(page: Page) -> Watched:
    """What the page has measured up to now."""
    values = page.evaluate(
        """() => { const s = window.seedcast; return [s.state, s.delays, s.delaySource, s.stalls, s.firstFrameSeconds,
                                                      s.frames, s.rate, s.currentTime]; }"""
    )
    state, delays, source, stalls, first, frames, rate, position = values
    return Watched(
        state=state,
        delays_s=tuple(delays),
        delay_source=source,
        stalls=stalls,
        first_frame_s=first,
        frames=frames,
        rate=rate,
        position_s=position,
    )
