"""One viewer in a house: a gateway of its own and a Chromium, both inside, with the start page open."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as NotInTime

from tests.conftest import need_chromium
from tests.e2e.browser import open_browser, open_page
from tests.network.namespaces import inside

PAGE = "http://127.0.0.1:8080/"
STARTED_S = 60.0
FIRST_FRAME_S = 30.0

CLOCK = """() => {
  const found = (window.finding = { entered_ms: null, shown_ms: null });
  const enter = () => (found.entered_ms = performance.now());
  document.getElementById("add").addEventListener("submit", enter, { capture: true, once: true });
  const show = (_, frame) => (found.shown_ms = frame.expectedDisplayTime);
  document.getElementById("video").requestVideoFrameCallback(show);
}"""
"""The page's own clock, from Enter to when the compositor expects the first frame to be seen."""

DETAIL = """async () => {
  const { state, finders, peers_detail } = await (await fetch(`api/v1/streams/${window.seedcast.stream}`)).json();
  return JSON.stringify({ state, finders, peers_detail });
}"""


@asynccontextmanager
async def cold_gateway(space: str, data_dir: Path, settings: Mapping[str, str]) -> AsyncIterator[None]:
    """A gateway with an empty data folder, while its page can be opened; ``settings``: SEEDCAST_... variables."""
    running = await asyncio.create_subprocess_exec(
        *inside(space),
        *(sys.executable, "-m", "gateway", "gateway", "--with-parent"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SEEDCAST_DATA_DIR": str(data_dir), **settings},
    )
    assert running.stdin is not None
    assert running.stdout is not None
    said: list[str] = []
    opened = asyncio.Event()
    listening = asyncio.create_task(_listen(running.stdout, said, opened))
    try:
        async with asyncio.timeout(STARTED_S):
            await opened.wait()
        yield
    finally:
        running.stdin.close()
        await listening
        await running.wait()


async def _listen(stdout: asyncio.StreamReader, said: list[str], opened: asyncio.Event) -> None:
    async for line in stdout:
        said.append(line.decode(errors="replace").rstrip())
        if said[-1].startswith("Open "):
            opened.set()
    if not opened.is_set():
        raise RuntimeError("the gateway did not start:\n" + "\n".join(said))


@contextmanager
def start_page(space: str, folder: Path) -> Iterator[Page]:
    """The gateway's start page in a Chromium that sees the house's network only; not where an event loop runs."""
    wrapper = folder / f"chromium-{space}"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(inside(space))} {need_chromium()} "$@"\n')
    wrapper.chmod(0o755)
    with open_browser(str(wrapper)) as browser, open_page(browser, PAGE) as page:
        yield page


def paste(page: Page, link: str) -> float:
    """Paste a link and press Enter: seconds until the first frame is on the screen."""
    page.evaluate(CLOCK)
    page.fill("#link", link)
    page.press("#link", "Enter")
    try:
        page.wait_for_function("() => window.finding.shown_ms !== null", timeout=FIRST_FRAME_S * 1000)
    except NotInTime as error:
        raise RuntimeError(f"no picture: {page.evaluate(DETAIL)}") from error
    return float(page.evaluate("() => (window.finding.shown_ms - window.finding.entered_ms) / 1000"))
