"""The main job, whole: broadcaster with ffmpeg, three relays and a gateway in processes of their own, real players."""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import m3u8
import pytest

from tests.conftest import need_chromium, need_ffprobe
from tests.e2e.browser import complaints, open_browser, open_page, wait_for_first_frame, wait_for_playback, watched
from tests.e2e.stage import Stage
from tests.e2e.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

RELAYS = 3
PLAYED_S = 20


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(RELAYS) as running:
        yield running


@pytest.fixture(scope="module")
def stream_url(stage: Stage) -> str:
    name = httpx.get(f"{stage.url}/api/v1/streams").json()[0]["id"]
    return f"{stage.url}/live/{name}"


def pieces_lost(stage: Stage) -> int:
    name = httpx.get(f"{stage.url}/api/v1/streams").json()[0]["id"]
    return int(httpx.get(f"{stage.url}/api/v1/streams/{name}").json()["pieces_lost"])


def test_chromium_plays_for_twenty_seconds_without_a_loss_and_tells_its_delay(stage: Stage) -> None:
    with open_browser(need_chromium()) as browser, open_page(browser, stage.url) as page:
        errors = complaints(page)
        wait_for_first_frame(page)
        wait_for_playback(page, PLAYED_S)
        seen = watched(page)
    assert pieces_lost(stage) == 0
    assert seen.delay_source == "picture", "the clock in the picture could not be read"
    assert len(seen.delays_s) > PLAYED_S
    assert all(0 < delay_s < 10 for delay_s in seen.delays_s)
    assert errors == []


def test_a_viewer_goes_back_and_jumps_to_live_again(stage: Stage) -> None:
    with open_browser(need_chromium()) as browser, open_page(browser, stage.url) as page:
        errors = complaints(page)
        wait_for_first_frame(page)
        page.get_by_role("button", name="Go back").click()
        page.wait_for_function("() => seedcast.back && seedcast.state === 'playing' && seedcast.delays.at(-1) > 3")
        wait_for_playback(page, 2)
        page.evaluate("() => { video.currentTime = video.seekable.start(0) + 0.5; }")
        page.wait_for_function("() => seedcast.state === 'playing' && seedcast.delays.at(-1) > 10")
        page.get_by_role("button", name="Jump to live").click()
        page.wait_for_function("() => !seedcast.back && seedcast.state === 'playing' && seedcast.delays.at(-1) < 3")
    assert errors == []


def test_the_gateway_gets_the_stream_from_several_peers_and_passes_it_on(stage: Stage, stream_url: str) -> None:
    httpx.get(f"{stream_url}/plain.m3u8", timeout=20).raise_for_status()

    def detail() -> dict[str, Any]:
        return dict(httpx.get(stream_url.replace("/live/", "/api/v1/streams/")).json())

    wait_until(lambda: detail()["peers"] == RELAYS + 1)
    wait_until(lambda: sum(peer["bytes_in"] > 0 for peer in detail()["peers_detail"]) >= 2)
    assert pieces_lost(stage) == 0
    assert stage.source_multiple() <= 3.0


@pytest.mark.parametrize("name", ["index.m3u8", "manifest.mpd"])
def test_ffprobe_reads_picture_and_sound(name: str, stream_url: str) -> None:
    command = [need_ffprobe(), "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "json"]
    done = subprocess.run([*command, f"{stream_url}/{name}"], capture_output=True, check=True, timeout=60)
    streams = {stream["codec_name"]: stream for stream in json.loads(done.stdout)["streams"]}
    assert set(streams) == {"h264", "aac"}
    assert (streams["h264"]["width"], streams["h264"]["height"]) == (640, 360)


def test_m3u8_reads_every_playlist(stream_url: str) -> None:
    index = m3u8.loads(httpx.get(f"{stream_url}/index.m3u8").text)
    assert index.is_variant
    assert set(index.playlists[0].stream_info.codecs.split(",")) == {"avc1.64001E", "mp4a.40.2"}
    low_latency = m3u8.loads(httpx.get(f"{stream_url}/muxed.m3u8").text)
    assert low_latency.server_control.can_block_reload == "YES"
    assert all(part.duration <= low_latency.part_inf.part_target for s in low_latency.segments for part in s.parts)
    plain = m3u8.loads(httpx.get(f"{stream_url}/plain.m3u8").text)
    assert not plain.part_inf
    assert all(segment.program_date_time for segment in plain.segments)
    for segment in plain.segments:
        assert httpx.get(f"{stream_url}/{segment.uri}").raise_for_status().content[4:8] in {b"moof", b"styp"}


def test_the_manifest_is_on_a_grid_and_its_segments_come_as_they_grow(stream_url: str) -> None:
    mpd = ET.fromstring(httpx.get(f"{stream_url}/manifest.mpd", timeout=20).raise_for_status().text)
    assert [e.attrib["contentType"] for e in mpd.iterfind(".//{*}AdaptationSet")] == ["video", "audio"]
    template = mpd.find(".//{*}SegmentTemplate")
    assert template is not None
    assert "presentationTimeOffset" not in template.attrib
    told = datetime.fromisoformat(httpx.get(f"{stream_url}/time").text)
    passed_s = (told - datetime.fromisoformat(mpd.attrib["availabilityStartTime"])).total_seconds()
    step_s = int(template.attrib["duration"]) / int(template.attrib["timescale"])
    growing = int(template.attrib["startNumber"]) + int(passed_s / step_s)
    url = f"{stream_url}/{template.attrib['media'].replace('$Number$', str(growing))}"
    with httpx.stream("GET", url, timeout=20) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert len(list(answer.iter_raw())) > 1


def test_the_picture_goes_on_when_a_relay_is_killed(stage: Stage) -> None:
    with open_browser(need_chromium()) as browser, open_page(browser, stage.url) as page:
        wait_for_first_frame(page)
        wait_for_playback(page, 5)
        stage.kill(1)
        wait_for_playback(page, 10)
    assert pieces_lost(stage) == 0
    assert stage.pieces_lost() == 0
