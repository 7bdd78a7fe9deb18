"""The players that every check plays with, without anything that has to be installed for it: the gateway's own hls.js
in Chromium, ffprobe and ffmpeg, and the m3u8 library. ``make e2e-players`` plays in all the others too."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.conftest import need_chromium, need_ffmpeg, need_ffprobe
from tests.e2e.browser import open_browser
from tests.e2e.stage import Stage
from tests.players.page_server import serve_pages
from tests.players.play import Play, Venue
from tests.players.plays import FOR_READERS, IN_PAGES, PLAYLISTS
from tests.players.readers import decode, fetch_playlists, probe
from tests.players.web import play_in_page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RELAYS = 2
PLAYED_S = 8.0
DECODED_S = 3.0


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


@pytest.mark.parametrize("play", [play for play in IN_PAGES if play.player == "hls.js"], ids=lambda play: play.view)
def test_hlsjs_plays(play: Play, stream_url: str, pages_url: str, browser: Browser, tmp_path: Path) -> None:
    venue = Venue(stream_url=stream_url, seconds=PLAYED_S, pictures=tmp_path)
    outcome = play_in_page(browser, pages_url, play, venue)
    assert outcome.errors == ()
    assert outcome.figures is not None
    assert outcome.figures.plays
    assert outcome.figures.delay_median_s is not None
    assert outcome.figures.delay_median_s > 0
    assert venue.picture(play).stat().st_size > 10_000


@pytest.mark.parametrize("view", FOR_READERS)
def test_ffprobe_finds_picture_and_sound(view: str, stream_url: str) -> None:
    assert probe(need_ffprobe(), f"{stream_url}/{view}") == {"video": "h264", "audio": "aac"}


@pytest.mark.parametrize("view", FOR_READERS)
def test_ffmpeg_decodes_without_a_complaint(view: str, stream_url: str) -> None:
    assert decode(need_ffmpeg(), f"{stream_url}/{view}", DECODED_S) == []


@pytest.mark.parametrize("view", PLAYLISTS)
def test_m3u8_finds_what_each_playlist_names(view: str, stream_url: str) -> None:
    playlists = fetch_playlists(f"{stream_url}/{view}")
    assert any(playlist.segments for playlist in playlists)
    assert all(playlist.segments or playlist.is_variant for playlist in playlists)
