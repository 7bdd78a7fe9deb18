"""A ladder with real players: each rung for itself, and auto, which climbs, and comes down when the line is thin."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import httpx
import numpy as np
import pytest

from gateway.ingest.clock_code import read_clock
from tests.conftest import need_chromium, need_ffmpeg, need_ffprobe
from tests.e2e.browser import complaints, open_browser, open_page, wait_for_first_frame, wait_for_playback, watched
from tests.e2e.stage import Stage
from tests.e2e.thin_line import PLENTY_BPS, Site

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

THIN_BPS = 420_000
"""Enough for 180p with its sound, too little for 360p."""
PATIENCE_S = 60.0


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


def wait_until(done: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until_s, "it did not come to that"
        time.sleep(0.05)


def size_of(url: str) -> tuple[int, int]:
    command = [need_ffprobe(), "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height"]
    done = subprocess.run([*command, "-of", "json", url], capture_output=True, check=True, timeout=60)
    stream = json.loads(done.stdout)["streams"][0]
    return stream["width"], stream["height"]


def kinds_of(url: str) -> set[str]:
    command = [need_ffprobe(), "-v", "error", "-show_entries", "stream=codec_type", "-of", "json", url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return {stream["codec_type"] for stream in json.loads(done.stdout)["streams"]}


def test_a_demonstration_with_two_rungs_has_both_and_plays_the_higher_one() -> None:
    with Stage(2, ladder=("360p", "180p")) as stage:
        name = httpx.get(f"{stage.url}/api/v1/streams").json()[0]["id"]

        def playing() -> bool:
            httpx.get(f"{stage.url}/live/{name}/muxed.m3u8").raise_for_status()
            stream = httpx.get(f"{stage.url}/api/v1/streams/{name}").json()
            return bool(stream["playing"] == "360p")

        wait_until(playing)
        assert size_of(f"{stage.url}/live/{name}/180p/index.m3u8") == (320, 180)
        assert size_of(f"{stage.url}/live/{name}/360p/index.m3u8") == (640, 360)
        assert size_of(f"{stage.url}/live/{name}/index.m3u8") in {(320, 180), (640, 360)}


def test_each_rung_is_what_its_name_says_and_auto_is_one_of_them(site: Site) -> None:
    assert size_of(f"{site.stream_url}/180p/index.m3u8") == (320, 180)
    assert size_of(f"{site.stream_url}/360p/index.m3u8") == (640, 360)
    for view in ("plain.m3u8", "ts.m3u8", "stream.ts", "stream.mp4", "manifest.mpd"):
        assert size_of(f"{site.stream_url}/360p/{view}") == (640, 360), view
    assert size_of(f"{site.stream_url}/index.m3u8") in {(320, 180), (640, 360)}


def test_the_sound_alone_has_no_picture_anywhere(site: Site) -> None:
    for view in ("index.m3u8", "plain.m3u8", "tracks.m3u8", "manifest.mpd", "stream.mp4"):
        assert kinds_of(f"{site.stream_url}/audio/{view}") == {"audio"}, view
    assert httpx.get(f"{site.stream_url}/audio/stream.ts").status_code == 406
    assert kinds_of(f"{site.stream_url}/index.m3u8") == {"audio", "video"}


def test_chromium_goes_to_the_sound_alone_and_back(site: Site) -> None:
    with open_browser(need_chromium()) as browser, open_page(browser, site.url) as page:
        errors = complaints(page)
        wait_for_first_frame(page)
        page.get_by_label("Size").select_option("audio")
        page.wait_for_function("() => video.videoWidth === 0", timeout=30_000)
        wait_for_playback(page, 5)
        page.get_by_label("Size").select_option("360p")
        page.wait_for_function("() => video.videoWidth === 640", timeout=30_000)
        wait_for_playback(page, 3)
    assert errors == []


def test_chromium_plays_on_while_the_rung_changes_up_and_down(site: Site) -> None:
    with open_browser(need_chromium()) as browser, open_page(browser, site.url) as page:
        errors = complaints(page)
        wait_for_first_frame(page)
        wait_until(lambda: site.playing == "360p")
        page.wait_for_function("() => video.videoWidth === 640", timeout=30_000)
        wait_for_playback(page, 5)
        up = watched(page)
        site.line.rate_bps = THIN_BPS
        wait_until(lambda: site.playing == "180p")
        page.wait_for_function("() => video.videoWidth === 320", timeout=30_000)
        wait_for_playback(page, 8)
        down = watched(page)
        site.line.rate_bps = PLENTY_BPS
    assert up.stalls == 0
    # What was on its way of the segment in which the line became thin is skipped: a hiccup, not a wait.
    assert down.stalls <= 3
    assert down.delays_s[-1] < up.delays_s[-1] + 1.0
    assert errors == []


def test_a_viewer_of_the_start_page_pins_a_size(site: Site) -> None:
    with open_browser(need_chromium()) as browser, open_page(browser, site.url) as page:
        errors = complaints(page)
        wait_for_first_frame(page)
        page.get_by_label("Size").select_option("360p")
        page.wait_for_function("() => video.videoWidth === 640", timeout=30_000)
        page.get_by_label("Size").select_option("180p")
        page.wait_for_function("() => video.videoWidth === 320", timeout=30_000)
        wait_for_playback(page, 3)
    assert errors == []


@pytest.mark.parametrize("view", ["index.m3u8", "stream.ts", "stream.mp4"])
def test_ffmpeg_plays_on_while_the_rung_changes_up_and_down(site: Site, view: str) -> None:
    command = [need_ffmpeg(), "-v", "error", "-i", f"{site.stream_url}/{view}", "-t", "36", "-vf", "scale=320:180"]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as player:
        wait_until(lambda: site.playing == "360p")
        site.line.rate_bps = THIN_BPS
        wait_until(lambda: site.playing == "180p")
        raw, _ = player.communicate(timeout=120)
    frames = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 180, 320)
    times = [read_clock(frame) for frame in frames]
    steps = [None if a is None or b is None else b - a for a, b in pairwise(times)]
    assert None not in times
    assert all(step is not None and step > 0 for step in steps)
    assert sum(step for step in steps if step is not None and step != 40) < 4_000
