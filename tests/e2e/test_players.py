"""The players that every check plays with, without anything that has to be installed for it: the gateway's own hls.js
in Chromium, ffprobe and ffmpeg, and the m3u8 library. ``make e2e-players`` plays in all the others too."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.conftest import need_chromium, need_ffmpeg, need_ffprobe
from tests.e2e.browser import open_browser
from tests.e2e.stage import Stage
from tests.players.page_server import serve_pages
from tests.players.play import Outcome, Venue
from tests.players.plays import FOR_READERS, IN_PAGES, PLAYLISTS
from tests.players.readers import decode, fetch_playlists, probe
from tests.players.web import playing_in_page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RELAYS = 2
PLAYED_S = 8.0
DECODED_S = 3.0
HLSJS = [play for play in IN_PAGES if play.player == "hls.js"]


@pytest.fixture(scope="module")
def stream_url() -> Iterator[str]:
    with Stage(RELAYS) as stage:
        name = httpx.get(f"{stage.url}/api/v1/streams", trust_env=False).json()[0]["id"]
        yield f"{stage.url}/live/{name}"


@pytest.fixture(scope="module")
def pages_url() -> Iterator[str]:
    with serve_pages(None) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser(need_chromium()) as running:
        yield running


@pytest.fixture(scope="module")
def probed(stream_url: str) -> Iterator[Mapping[str, Future[dict[str, str]]]]:
    """What is found behind each URL, of all at the same time: it is the stream that takes its time."""
    tool = need_ffprobe()
    with ThreadPoolExecutor(len(FOR_READERS)) as pool:
        yield {view: pool.submit(probe, tool, f"{stream_url}/{view}") for view in FOR_READERS}


@pytest.fixture(scope="module")
def decoded(stream_url: str) -> Iterator[Mapping[str, Future[list[str]]]]:
    """The complaints about each URL, in the same way."""
    tool = need_ffmpeg()
    with ThreadPoolExecutor(len(FOR_READERS)) as pool:
        yield {view: pool.submit(decode, tool, f"{stream_url}/{view}", DECODED_S) for view in FOR_READERS}


@pytest.fixture(scope="module")
def played(
    stream_url: str, pages_url: str, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, tuple[Outcome, Path]]:
    """How hls.js did with each URL, and a picture of it; all at the same time, each in a page of its own."""
    venue = Venue(stream_url=stream_url, seconds=PLAYED_S, pictures=tmp_path_factory.mktemp("pictures"))
    with ExitStack() as pages:
        ends = [pages.enter_context(playing_in_page(browser, pages_url, play, venue)) for play in HLSJS]
        return {play.view: (end(), venue.picture(play)) for play, end in zip(HLSJS, ends, strict=True)}


@pytest.mark.parametrize("view", [play.view for play in HLSJS])
def test_hlsjs_plays(view: str, played: Mapping[str, tuple[Outcome, Path]]) -> None:
    outcome, picture = played[view]
    assert outcome.errors == ()
    assert outcome.figures is not None
    assert outcome.figures.played_s > PLAYED_S / 4  # the machine may be busy; how well it plays is for the table
    assert outcome.figures.delay_median_s is not None
    assert outcome.figures.delay_median_s > 0
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("view", FOR_READERS)
def test_ffprobe_finds_picture_and_sound(view: str, probed: Mapping[str, Future[dict[str, str]]]) -> None:
    assert probed[view].result() == {"video": "h264", "audio": "aac"}


@pytest.mark.parametrize("view", FOR_READERS)
def test_ffmpeg_decodes_without_a_complaint(view: str, decoded: Mapping[str, Future[list[str]]]) -> None:
    assert decoded[view].result() == []


@pytest.mark.parametrize("view", PLAYLISTS)
def test_m3u8_finds_what_each_playlist_names(view: str, stream_url: str) -> None:
    playlists = fetch_playlists(f"{stream_url}/{view}")
    assert any(playlist.segments for playlist in playlists)
    assert all(playlist.segments or playlist.is_variant for playlist in playlists)
