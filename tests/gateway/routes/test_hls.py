"""Players' requests, through the whole stack of routes, problems and origins, without a network."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import m3u8
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from gateway.live import LiveWindow
from gateway.origins import Origins
from gateway.problems import Problem, install
from gateway.routes import answers, hls
from gateway.routes.answers import read_range
from gateway.routes.hls import hls_router
from tests.gateway.media_fixture import feed, live, slices, stream

PLAYLISTS = ("index.m3u8", "tracks.m3u8", "muxed.m3u8", "track-1.m3u8", "track-2.m3u8", "plain.m3u8")
MEDIA = (
    ("init-7.mp4", "video/mp4"),
    ("init-7-1.mp4", "video/mp4"),
    ("init-7-2.mp4", "audio/mp4"),
    ("muxed/101.m4s", "video/mp4"),
    ("track-2/101.m4s", "audio/mp4"),
    ("muxed/101.2.m4s", "video/mp4"),
    ("track-1/101.0.m4s", "video/mp4"),
)

Get = Callable[..., Awaitable[httpx.Response]]


def make_app(window: LiveWindow) -> FastAPI:
    async def watch(name: str) -> LiveWindow:
        if name != "known":
            raise Problem(status=404, title="This gateway does not know that stream")
        return window

    app = FastAPI()
    install(app)
    app.include_router(hls_router(watch))
    app.add_middleware(Origins, allowed_hosts=())
    return app


@asynccontextmanager
async def player(window: LiveWindow) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(window))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/live/known/") as client:
        yield client


def ask(
    path: str, *, window: LiveWindow | None = None, method: str = "GET", headers: dict[str, str] | None = None
) -> httpx.Response:
    async def main() -> httpx.Response:
        async with player(window or live()) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(main())


def partial(*numbers: int) -> LiveWindow:
    window = LiveWindow()
    window.set_description(7, stream().description)
    feed(window, slices(stream()), numbers=numbers)
    return window


async def held(task: asyncio.Task[httpx.Response]) -> bool:
    """Whether a request still waits when everything that could answer it has run."""
    for _ in range(50):
        await asyncio.sleep(0)
    return not task.done()


@pytest.mark.parametrize("path", PLAYLISTS)
def test_playlists_have_their_type_and_are_not_cached(path: str) -> None:
    answer = ask(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.text.startswith("#EXTM3U\n")


@pytest.mark.parametrize(("path", "media_type"), MEDIA)
def test_media_has_its_type_and_is_cached(path: str, media_type: str) -> None:
    answer = ask(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert int(answer.headers["content-length"]) == len(answer.content) > 0


@pytest.mark.parametrize("path", [*PLAYLISTS, *(path for path, _ in MEDIA)])
def test_head_tells_what_get_would_send(path: str) -> None:
    get, head = ask(path), ask(path, method="HEAD")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == get.headers


@pytest.mark.parametrize("path", ["muxed.m3u8", "muxed/101.m4s"])
def test_browsers_may_ask_before(path: str) -> None:
    answer = ask(path, method="OPTIONS", headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"


def test_everything_that_the_playlists_name_is_there() -> None:
    async def main() -> None:
        async with player(live()) as client:
            for index in ("index.m3u8", "tracks.m3u8"):
                parsed = m3u8.loads((await client.get(index)).text)
                names = [p.uri for p in parsed.playlists] + [m.uri for m in parsed.media]
                assert names
                for name in [*names, "plain.m3u8"]:
                    media = m3u8.loads((await client.get(name)).text)
                    uris = [s.uri for s in media.segments if s.uri] + [p.uri for s in media.segments for p in s.parts]
                    uris += [media.segment_map[0].uri]
                    answers = [await client.get(uri) for uri in uris]
                    assert {answer.status_code for answer in answers} == {200}

    asyncio.run(main())


def test_a_segment_is_sent_as_the_window_has_it() -> None:
    window = live()
    assert ask("muxed/101.m4s", window=window).content == b"".join(window.segment(101, None))
    assert ask("track-2/101.3.m4s", window=window).content == b"".join(window.part(101, 3, 2))


@pytest.mark.parametrize(
    "path",
    [
        "muxed/99.m4s",
        "muxed/103.m4s",
        "muxed/101.5.m4s",
        "muxed/105.0.m4s",
        "track-9/101.m4s",
        "track-9.m3u8",
        "track-x/101.m4s",
        "tracks/101.m4s",
        "init-8.mp4",
        "init-7-9.mp4",
        f"muxed/{'9' * 5000}.m4s",
        "../unknown/index.m3u8",
        "nothing.txt",
    ],
)
def test_what_is_not_here_is_a_404_problem(path: str) -> None:
    answer = ask(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_part=0",
        "_HLS_msn=x",
        "_HLS_msn=-1",
        "_HLS_msn=",
        "_HLS_msn=1.5",
        "_HLS_msn=²",
        f"_HLS_msn={'9' * 5000}",
        "_HLS_msn=103&_HLS_part=two",
        "_HLS_msn=105",
        "_HLS_msn=103&_HLS_part=400",
        "_HLS_skip=",
        "_HLS_skip=NO",
        "_HLS_skip=yes",
        f"_HLS_skip={'v' * 5000}",
        "_HLS_msn=103&_HLS_skip=v3",
        "hold_back=-1",
        "hold_back=1e9",
        "hold_back=",
        f"hold_back={'9' * 5000}",
    ],
)
def test_a_reload_that_makes_no_sense_is_a_400_problem(query: str) -> None:
    answer = ask(f"muxed.m3u8?{query}")
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:seedcast:problem:bad-reload"


@pytest.mark.parametrize("skip", ["YES", "v2"])
def test_a_delta_update_is_given_to_who_asks(skip: str) -> None:
    window = LiveWindow()
    window.set_description(7, stream(seconds=12).description)
    feed(window, slices(stream(seconds=12)))
    answer = ask(f"muxed.m3u8?_HLS_skip={skip}", window=window)
    assert answer.status_code == 200
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=6\n" in answer.text
    assert "#EXT-X-SKIP" not in ask("muxed.m3u8", window=window).text


def test_tracks_report_how_far_the_others_are() -> None:
    report = '#EXT-X-RENDITION-REPORT:URI="track-2.m3u8",LAST-MSN=103,LAST-PART=4'
    assert report in ask("track-1.m3u8").text
    assert "REPORT" not in ask("muxed.m3u8").text


def test_an_old_reload_is_answered_at_once() -> None:
    assert ask("muxed.m3u8?_HLS_msn=5&_HLS_part=3").text == ask("muxed.m3u8").text
    assert ask("muxed.m3u8?_HLS_msn=103&_HLS_part=4").status_code == 200


@pytest.mark.parametrize("path", ["muxed.m3u8", "track-1.m3u8", "track-2.m3u8"])
def test_a_reload_is_held_until_the_part_is_in(path: str) -> None:
    async def main() -> None:
        window = partial(1000)
        async with player(window) as client:
            task = asyncio.create_task(client.get(f"{path}?_HLS_msn=100&_HLS_part=2"))
            assert await held(task)
            feed(window, slices(stream()), numbers=[1001])
            assert await held(task)
            feed(window, slices(stream()), numbers=[1002])
            parts = m3u8.loads((await task).text).segments[0].parts
            assert len(parts) == 3

    asyncio.run(main())


def test_a_reload_that_waited_for_nothing_gets_the_playlist_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.media.hls.Rhythm.reload_timeout_s", 0.01)
    window = partial(1000)
    answer = ask("muxed.m3u8?_HLS_msn=100&_HLS_part=1", window=window)
    assert answer.status_code == 200
    assert answer.content == window.playlist(None)


def test_the_announced_part_is_held_until_it_is_in() -> None:
    async def main() -> None:
        window = partial(1000)
        async with player(window) as client:
            hint = m3u8.loads((await client.get("muxed.m3u8")).text).preload_hint.uri
            task = asyncio.create_task(client.get(hint))
            assert await held(task)
            feed(window, slices(stream()), numbers=[1001])
            answer = await task
            assert answer.content == b"".join(window.part(100, 1, None))

    asyncio.run(main())


def test_an_announced_part_that_is_never_made_is_a_404() -> None:
    async def main() -> None:
        window = partial(1000, 1001, 1002)
        async with player(window) as client:
            task = asyncio.create_task(client.get("muxed/100.3.m4s"))
            assert await held(task)
            feed(window, slices(stream()), numbers=[1005, 1006])
            window.lose_piece(1003)
            window.lose_piece(1004)
            assert (await task).status_code == 404

    asyncio.run(main())


def test_a_stream_without_a_part_is_waited_for() -> None:
    async def main() -> None:
        window = LiveWindow()
        async with player(window) as client:
            tasks = [asyncio.create_task(client.get(path)) for path in PLAYLISTS]
            assert all([await held(task) for task in tasks])
            window.set_description(7, stream().description)
            feed(window, slices(stream()))
            assert {(await task).status_code for task in tasks} == {200}

    asyncio.run(main())


@pytest.mark.parametrize("path", PLAYLISTS)
def test_a_stream_without_a_key_frame_is_a_503_problem(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_TIMEOUT_S", 0.01)
    answer = ask(path, window=LiveWindow())
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "key frame" in answer.json()["title"]


def test_a_window_that_closes_lets_its_requests_go() -> None:
    async def main() -> None:
        window = LiveWindow()
        async with player(window) as client:
            task = asyncio.create_task(client.get("index.m3u8"))
            assert await held(task)
            window.close()
            assert (await task).status_code == 503

    asyncio.run(main())


def test_players_that_know_no_parts_find_a_whole_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        window = partial(1000)
        async with player(window) as client:
            task = asyncio.create_task(client.get("muxed.m3u8"))
            assert await held(task)
            feed(window, slices(stream()), numbers=range(1001, 1006))
            assert m3u8.loads((await task).text).segments[0].uri == "muxed/100.m4s"

    asyncio.run(main())
    monkeypatch.setattr(hls, "WHOLE_TIMEOUT_S", 0.01)
    assert ask("muxed.m3u8", window=partial(1000)).status_code == 200


def test_the_plain_playlist_waits_for_three_segments_and_takes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        window = partial(*range(1000, 1012))
        async with player(window) as client:
            task = asyncio.create_task(client.get("plain.m3u8"))
            assert await held(task)
            feed(window, slices(stream()), numbers=range(1012, 1016))
            assert len(m3u8.loads((await task).text).segments) == 3

    asyncio.run(main())
    monkeypatch.setattr(answers, "OPEN_TIMEOUT_S", 0.01)
    few = ask("plain.m3u8", window=partial(*range(1000, 1006)))
    assert len(m3u8.loads(few.text).segments) == 1
    assert ask("plain.m3u8", window=partial(1000)).status_code == 503


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)]
)
def test_a_range_of_a_segment(asked: str, start: int, end: int | None) -> None:
    whole = ask("muxed/101.m4s").content
    answer = ask("muxed/101.m4s", headers={"range": asked})
    assert answer.status_code == 206
    assert answer.content == whole[start:end]
    first = start % len(whole)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"


def test_a_range_outside_is_a_416_problem() -> None:
    answer = ask("muxed/101.m4s", headers={"range": "bytes=99999999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"].startswith("bytes */")


@pytest.mark.parametrize("asked", ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=a-b"])
def test_a_range_that_cannot_be_read_gives_the_whole(asked: str) -> None:
    assert read_range(Headers({"range": asked}), 100) is None


@given(st.text(st.characters(max_codepoint=255), max_size=30), st.integers(1, 1000))
def test_any_range_is_inside_or_none_or_a_problem(spec: str, size: int) -> None:
    try:
        span = read_range(Headers({"range": f"bytes={spec}"}), size)
    except Problem:
        return
    assert span is None or 0 <= span[0] < span[1] <= size


def test_the_description_of_the_api_can_be_made() -> None:
    paths = make_app(LiveWindow()).openapi()["paths"]
    assert list(paths["/live/{stream}/muxed.m3u8"]) == ["get"]
    assert "/live/{stream}/{folder}/{msn}.{part}.m4s" in paths
