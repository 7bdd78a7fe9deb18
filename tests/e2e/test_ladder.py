"""A ladder with real players: each rung for itself, and auto, which climbs, and comes down when the line is thin."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest

from gateway.ingest.clock_code import read_clock
from tests.conftest import need_chromium, need_ffmpeg, need_ffprobe
from tests.e2e.browser import complaints, open_browser, open_page, wait_for_first_frame, wait_for_playback, watched
from tests.e2e.stage import Stage
from tests.e2e.thin_line import PLENTY_BPS, Site
from tests.e2e.waiting import PATIENCE_S, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

THIN_BPS = 420_000
"""Enough for 180p with its sound, too little for 360p."""
FRAMES_AFTER = 250
"""Ten seconds, in which every player comes to what was sent after the line became thin."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


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


@pytest.mark.alongside
def test_each_rung_is_what_its_name_says_and_auto_is_one_of_them(site: Site) -> None:
    high = [f"360p/{view}" for view in ("index.m3u8", "plain.m3u8", "ts.m3u8", "stream.ts", "stream.mp4")]
    views = ("index.m3u8", "180p/index.m3u8", *high)
    with ThreadPoolExecutor(len(views)) as pool:  # at the same time: it is the stream that takes its time
        sizes = dict(zip(views, pool.map(size_of, (f"{site.stream_url}/{view}" for view in views)), strict=True))
    assert sizes.pop("index.m3u8") in {(320, 180), (640, 360)}
    assert sizes == {"180p/index.m3u8": (320, 180)} | dict.fromkeys(high, (640, 360))
    assert size_of(f"{site.stream_url}/360p/manifest.mpd") == (640, 360)


@pytest.mark.alongside
def test_the_sound_alone_has_no_picture_anywhere(site: Site) -> None:
    alone = ("index.m3u8", "plain.m3u8", "tracks.m3u8", "manifest.mpd", "stream.mp4", "stream.ts")
    views = (*(f"audio/{view}" for view in alone), "index.m3u8")
    with ThreadPoolExecutor(len(views)) as pool:  # at the same time, while the stream is so young that ffmpeg may err
        kinds = dict(zip(views, pool.map(kinds_of, (f"{site.stream_url}/{view}" for view in views)), strict=True))
    assert kinds.pop("index.m3u8") == {"audio", "video"}
    assert all(found == {"audio"} for found in kinds.values()), kinds


@pytest.mark.alongside
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
    # What was on its way of the segment in which the line became thin is skipped, and not waited for.
    assert down.delays_s[-1] < up.delays_s[-1] + 3.0
    assert errors == []


@pytest.mark.alongside
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


def test_ffmpeg_plays_every_view_on_while_the_rung_changes_up_and_down(site: Site, tmp_path: Path) -> None:
    views = ("index.m3u8", "stream.ts", "stream.mp4")
    with ExitStack() as stack:
        players = [stack.enter_context(ffmpeg_playing(f"{site.stream_url}/{view}", tmp_path / view)) for view in views]
        wait_until(lambda: site.playing == "360p")
        site.line.rate_bps = THIN_BPS
        wait_until(lambda: site.playing == "180p")
        thin_ms = time.time() * 1000
        enough = [shown(tmp_path / view) + FRAMES_AFTER for view in views]
        wait_until(lambda: all(shown(tmp_path / view) >= least for view, least in zip(views, enough, strict=True)))
        for player in players:
            player.communicate(b"q", timeout=PATIENCE_S)
        assert [player.returncode for player in players] == [0, 0, 0]
    for view in views:
        assert_plays_on(np.fromfile(tmp_path / view, dtype=np.uint8).reshape(-1, 180, 320), thin_ms, view)


def ffmpeg_playing(url: str, frames: Path) -> "subprocess.Popen[bytes]":
    """It plays until it is told ``q``."""
    command = [need_ffmpeg(), "-v", "error", "-i", url, "-vf", "scale=320:180", "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-pix_fmt", "gray", "-flush_packets", "1", str(frames)]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def shown(frames: Path) -> int:
    """How many frames a player has written."""
    return frames.stat().st_size // (320 * 180)


def assert_plays_on(frames: np.ndarray, until_ms: float, view: str) -> None:
    """No picture is broken, none comes twice, and little is left out, up to what was captured then."""
    read = [read_clock(frame) for frame in frames]
    times = [time for time in read if time is not None]
    steps = [after - before for before, after in pairwise(times)]
    assert len(read) > 1, view
    assert None not in read, view
    assert times[-1] > until_ms, view
    assert all(step > 0 for step in steps), view
    assert sum(step for step in steps if step != 40) < 4_000, view
