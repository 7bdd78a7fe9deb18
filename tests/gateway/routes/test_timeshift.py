"""Going back: one long playlist over the shelf and the live window, and a film when the broadcast is over."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import m3u8
import pytest
from fastapi import FastAPI

from gateway.live import LiveWindow
from gateway.live.segments import Segment
from gateway.problems import Problem, install
from gateway.routes.timeshift import timeshift_router
from gateway.timeshift.past import Past
from gateway.timeshift.shelf import Limits, Shelf
from tests.gateway.media_fixture import CAPTURE_US, feed, live, probe_packets, slices, stream
from tests.gateway.timeshift.past_segments import FakeKeys, sealed_segments, whole_segments

NOW_US = CAPTURE_US + 10_000_000
Get = Callable[..., Awaitable[httpx.Response]]


class Scene:
    """A stream's shelf with eight seconds on it, the window that goes on with it, and a player."""

    def __init__(self, folder: Path) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1)
        self.shelf = Shelf(folder / "stream", Limits(1800.0, 1 << 30), self.pool)
        self.shelf.open(now_us=NOW_US)
        self.window: LiveWindow | None = None
        self.tuned: set[str] = set()

    async def fill(self, segments: Sequence[Segment] = whole_segments()) -> None:
        for segment in segments:
            self.shelf.put(segment)
        for _ in range(20):
            await asyncio.get_running_loop().run_in_executor(self.pool, lambda: None)
            await asyncio.sleep(0)

    def go_on(self) -> LiveWindow:
        """The stream is live again, four seconds of it; nothing of them goes on the shelf."""
        self.window = LiveWindow(before=self.shelf.last)
        self.window.set_description(8, stream().description)
        feed(self.window, slices(stream(), segment=500), epoch=8, capture_us=CAPTURE_US + 60_000_000)
        return self.window

    async def tune(self, name: str) -> Past:
        self.tuned.add(name)
        if name.partition("/")[0] != "known":
            raise Problem(status=404, title="This gateway does not know that stream")
        return Past(self.shelf, self.window)

    def player(self) -> httpx.AsyncClient:
        app = FastAPI()
        install(app)
        app.include_router(timeshift_router(self.tune))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost/live/known/timeshift/")


def play(folder: Path, scene: Callable[[Scene, Get], Awaitable[None]], *, filled: bool = True) -> None:
    async def main() -> None:
        stage = Scene(folder)
        if filled:
            await stage.fill()
        async with stage.player() as player:
            await scene(stage, player.get)

    asyncio.run(main())


def test_the_playlist_goes_from_the_shelf_into_the_live_window(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        stage.go_on()
        answer = await get("window.m3u8")
        playlist = m3u8.loads(answer.text)
        assert answer.headers["content-type"].startswith("application/vnd.apple.mpegurl")
        assert playlist.media_sequence == 100
        assert [segment.uri for segment in playlist.segments] == [f"muxed/{msn}.m4s" for msn in range(100, 111)]
        assert [bool(segment.discontinuity) for segment in playlist.segments] == [at == 8 for at in range(11)]
        assert [segment.init_section.uri for segment in playlist.segments] == ["init-7.mp4"] * 8 + ["init-8.mp4"] * 3
        assert not playlist.is_endlist
        assert "#EXT-X-START:TIME-OFFSET=-3" in answer.text
        assert all(segment.duration <= playlist.target_duration + 0.5 for segment in playlist.segments)

    play(tmp_path, scene)


def test_a_pinned_rendition_has_the_same_under_its_name(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        stage.go_on()
        pinned = "http://localhost/live/known/180p/timeshift/"
        (variant,) = m3u8.loads((await get(f"{pinned}index.m3u8")).text).playlists
        playlist = m3u8.loads((await get(pinned + variant.uri)).text)
        for name in {segment.init_section.uri for segment in playlist.segments} | {playlist.segments[0].uri}:
            assert (await get(pinned + name)).status_code == 200
        assert stage.tuned == {"known/180p"}

    play(tmp_path, scene)


def test_each_segment_that_it_names_can_be_played(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        stage.go_on()
        playlist = m3u8.loads((await get("window.m3u8")).text)
        for init, few in (("init-7.mp4", playlist.segments[:8]), ("init-8.mp4", playlist.segments[8:])):
            data = (await get(init)).content
            for segment in few:
                data += (await get(segment.uri)).content
            packets = probe_packets(data, tmp_path)
            assert len(packets["video"]) == 25 * len(few)

    play(tmp_path, scene)


@pytest.mark.parametrize("over", ["ended", "unreachable"])
def test_when_the_broadcast_is_over_it_is_a_film(tmp_path: Path, over: str) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        if over == "ended":
            stage.go_on().end()
        text = (await get("window.m3u8")).text
        assert m3u8.loads(text).is_endlist
        assert "EXT-X-START" not in text
        assert len(m3u8.loads(text).segments) == (12 if over == "ended" else 8)

    play(tmp_path, scene)


def test_of_a_sealed_stream_what_no_key_is_here_for_is_a_gap_to_players(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        await stage.fill(sealed_segments())
        stage.shelf.keys = FakeKeys(b"key-101", b"key-102", b"key-104", b"key-106")
        text = (await get("window.m3u8")).text
        assert m3u8.loads(text).media_sequence == 101
        gaps = [segment.gap_tag for segment in m3u8.loads(text).segments]
        assert [bool(gap) for gap in gaps] == [False, False, True, True, True, False, True]
        assert [(await get(f"muxed/{msn}.m4s")).status_code for msn in (101, 103, 104)] == [200, 404, 404]

    play(tmp_path, scene, filled=False)


def test_without_a_shelf_yet_the_window_is_all_there_is(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        stage.window = live()
        playlist = m3u8.loads((await get("window.m3u8")).text)
        assert [segment.uri for segment in playlist.segments] == [f"muxed/{msn}.m4s" for msn in range(100, 103)]

    play(tmp_path, scene, filled=False)


def test_nothing_at_all_is_said_so(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        answer = await get("window.m3u8")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"

    play(tmp_path, scene, filled=False)


@pytest.mark.parametrize("path", ["muxed/99.m4s", "muxed/200.m4s", "track-9/101.m4s", "init-9.mp4", "folder/101.m4s"])
def test_what_is_not_there_is_not_found(tmp_path: Path, path: str) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        assert (await get(path)).status_code == 404

    play(tmp_path, scene)


def test_who_begins_gets_a_playlist_that_never_grows_at_its_front(tmp_path: Path) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        stage.go_on()
        index = m3u8.loads((await get("index.m3u8")).text)
        (variant,) = index.playlists
        assert variant.uri == "window.m3u8?from=100"
        assert variant.stream_info.codecs
        assert variant.stream_info.bandwidth > 1
        older = replace(await whole(stage, 100), msn=99)
        stage.shelf.put_before(older)
        assert m3u8.loads((await get(variant.uri)).text).media_sequence == 100
        assert m3u8.loads((await get("index.m3u8")).text).playlists[0].uri == "window.m3u8?from=99"
        assert m3u8.loads((await get("window.m3u8?from=99")).text).media_sequence == 99

    play(tmp_path, scene)


async def whole(stage: Scene, msn: int) -> Segment:
    segment = await stage.shelf.segment(msn)
    assert segment is not None
    return segment


@pytest.mark.parametrize("query", ["from=x", "from=-1", "from=", f"from={'9' * 99}", "from=1.5"])
def test_a_beginning_that_makes_no_sense_is_a_400_problem(tmp_path: Path, query: str) -> None:
    async def scene(stage: Scene, get: Get) -> None:
        answer = await get(f"window.m3u8?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")

    play(tmp_path, scene)
