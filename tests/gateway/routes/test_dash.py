"""DASH players' requests, through the whole stack of routes, problems and origins, without a network."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from gateway.live import LiveWindow
from gateway.live.growing import grow
from gateway.origins import Origins
from gateway.problems import Problem, install
from gateway.routes import answers
from gateway.routes.dash import SourceTime, dash_router
from gateway.routes.hls import hls_router
from tests.gateway.media_fixture import feed, live, slices, stream

NOW_US = 1_800_000_123_456_000


def make_app(window: LiveWindow) -> FastAPI:
    async def watch(name: str) -> LiveWindow:
        return window

    def tell_time(name: str) -> SourceTime:
        if name != "known":
            raise Problem(status=404, title="This gateway does not know that stream")
        return SourceTime(now_us=NOW_US, delay_s=0.5)

    app = FastAPI()
    install(app)
    app.include_router(dash_router(watch, tell_time))
    app.include_router(hls_router(watch))
    app.add_middleware(Origins, allowed_hosts=())
    return app


@asynccontextmanager
async def player(window: LiveWindow) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(window))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/live/known/") as client:
        yield client


def ask(path: str, *, window: LiveWindow | None = None, method: str = "GET", **headers: str) -> httpx.Response:
    async def main() -> httpx.Response:
        async with player(window or live()) as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(main())


def partial(pieces: int) -> LiveWindow:
    window = LiveWindow()
    window.set_description(7, stream().description)
    feed(window, slices(stream()), numbers=range(1000, 1000 + pieces))
    return window


async def held(task: asyncio.Task[Any]) -> bool:
    """Whether something still waits when everything that could answer it has run."""
    for _ in range(50):
        await asyncio.sleep(0)
    return not task.done()


def test_the_manifest_has_its_type_and_aims_at_the_measured_delay() -> None:
    answer = ask("manifest.mpd")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dash+xml"
    assert answer.headers["access-control-allow-origin"] == "*"
    latency = ET.fromstring(answer.text).find(".//{*}Latency")
    assert latency is not None
    assert latency.attrib["target"] == "1400"


def test_head_tells_what_get_would_send() -> None:
    for path in ("manifest.mpd", "time", "chunked-0-1/101.m4s"):
        get, head = ask(path), ask(path, method="HEAD")
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers == get.headers


def test_the_time_is_the_sources() -> None:
    answer = ask("time")
    assert answer.text == "2027-01-15T08:02:03.456Z"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_everything_that_the_manifest_names_is_there() -> None:
    async def main() -> None:
        window = live()
        async with player(window) as client:
            mpd = ET.fromstring((await client.get("manifest.mpd")).text)
            for template in mpd.iterfind(".//{*}SegmentTemplate"):
                paths = [template.attrib["initialization"]]
                paths += [template.attrib["media"].replace("$Number$", str(msn)) for msn in range(100, 103)]
                assert {(await client.get(path)).status_code for path in paths} == {200}

    asyncio.run(main())


def test_a_whole_segment_has_its_length_ranges_and_a_long_life() -> None:
    window = live()
    whole = b"".join(window.segment(101, 2))
    answer = ask("chunked-0-2/101.m4s", window=window)
    assert answer.content == whole
    assert answer.headers["content-type"] == "audio/mp4"
    assert "immutable" in answer.headers["cache-control"]
    part = ask("chunked-0-2/101.m4s", window=window, range="bytes=10-19")
    assert part.status_code == 206
    assert part.content == whole[10:20]


def test_a_segment_is_found_by_its_time() -> None:
    window = live()
    start = window.find(102).span(1)[0]  # type: ignore[union-attr,index]
    assert ask(f"chunked-0-1/t{start}.m4s", window=window).content == b"".join(window.segment(102, 1))


@pytest.mark.parametrize(
    "path",
    [
        "chunked-0-1/99.m4s",
        "chunked-0-1/106.m4s",
        f"chunked-0-1/{'9' * 18}.m4s",
        f"chunked-0-1/{'9' * 19}.m4s",
        "chunked-1-1/101.m4s",
        "chunked-0-9/101.m4s",
        "chunked-0-1/t5.m4s",
        "chunked-x-1/101.m4s",
        "chunked-0/101.m4s",
        "chunked-0-1/-1.m4s",
    ],
)
def test_what_is_not_here_is_a_404_problem(path: str) -> None:
    answer = ask(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_stream_without_a_whole_segment_is_a_503_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_TIMEOUT_S", 0.01)
    for window in (LiveWindow(), partial(3)):
        answer = ask("manifest.mpd", window=window)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"


def test_the_manifest_waits_for_the_first_whole_segment() -> None:
    async def main() -> None:
        window = partial(3)
        async with player(window) as client:
            task = asyncio.create_task(client.get("manifest.mpd"))
            assert await held(task)
            feed(window, slices(stream()), numbers=range(1003, 1007))
            assert (await task).status_code == 200

    asyncio.run(main())


async def chunks_of(window: LiveWindow, path: str, found: list[bytes], *, method: str = "GET") -> list[Message]:
    """Run one request; body pieces go into ``found`` as the application sends them."""
    started: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            found.append(message.get("body", b""))
        else:
            started.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {
        "type": "http", "method": method, "path": f"/live/known/{path}", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost")], "scheme": "http", "server": ("localhost", 80), "http_version": "1.1",
    }  # fmt: skip
    await make_app(window)(scope, receive, send)
    return started


def test_a_growing_segment_is_sent_part_by_part() -> None:
    async def main() -> None:
        window = partial(7)
        found: list[bytes] = []
        task = asyncio.create_task(chunks_of(window, "chunked-0-1/101.m4s", found))
        assert await held(task)
        assert found == [b"".join(window.part(101, index, 1)) for index in range(2)]
        for number in range(1007, 1010):
            feed(window, slices(stream()), numbers=[number])
            assert await held(task)
        assert len(found) == 5
        feed(window, slices(stream()), numbers=[1010])
        started = await task
        assert b"".join(found) == b"".join(window.segment(101, 1))
        names = {name for name, _ in started[0]["headers"]}
        assert b"content-length" not in names
        assert (b"x-accel-buffering", b"no") in started[0]["headers"]

    asyncio.run(main())


def test_a_segment_that_is_about_to_begin_is_waited_for() -> None:
    async def main() -> None:
        window = partial(7)
        found: list[bytes] = []
        task = asyncio.create_task(chunks_of(window, "chunked-0-2/102.m4s", found))
        assert await held(task)
        assert not found
        feed(window, slices(stream()), numbers=range(1007, 1011))
        assert await held(task)
        assert found == [b"".join(window.part(102, 0, 2))]
        window.end()
        await task

    asyncio.run(main())


def test_head_of_a_growing_segment_is_answered_at_once() -> None:
    async def main() -> None:
        found: list[bytes] = []
        started = await chunks_of(partial(7), "chunked-0-1/101.m4s", found, method="HEAD")
        assert started[0]["status"] == 200
        assert b"".join(found) == b""

    asyncio.run(main())


def test_a_lost_piece_leaves_a_hole_in_a_growing_segment_and_no_more() -> None:
    async def main() -> None:
        window = partial(6)
        found: list[bytes] = []
        task = asyncio.create_task(chunks_of(window, "chunked-0-1/101.m4s", found))
        assert await held(task)
        window.lose_piece(1006)
        feed(window, slices(stream()), numbers=range(1007, 1011))
        await task
        assert b"".join(found) == b"".join(window.segment(101, 1))
        assert window.part(101, 1, 1) == ()

    asyncio.run(main())


def test_a_segment_that_stops_growing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.media.hls.Rhythm.reload_timeout_s", 0.01)

    async def main() -> None:
        window = partial(7)
        assert len([part async for part in grow(window, 101, 1)]) == 2
        assert [part async for part in grow(window, 9, 1)] == []

    asyncio.run(main())


@pytest.mark.parametrize("path", ["manifest.mpd", "muxed.m3u8", "index.m3u8", "tracks.m3u8", "plain.m3u8"])
def test_text_is_compressed_for_those_who_take_it_alone(path: str) -> None:
    async def main() -> None:
        async with player(live()) as client:
            plain = await client.get(path, headers={"accept-encoding": "identity"})
            request = client.build_request("GET", path, headers={"accept-encoding": "br, GZIP;q=0.5"})
            packed = await client.send(request, stream=True)
            raw = b"".join([chunk async for chunk in packed.aiter_raw()])
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) == len(raw)
        assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
        assert gzip.decompress(raw) == plain.content

    asyncio.run(main())


@pytest.mark.parametrize(
    ("codings", "accepted"),
    [
        ("gzip", True), ("br;q=1, gzip ; q=0.1", True), ("x-gzip", True), ("", False), ("identity", False),
        ("gzip;q=0", False), ("gzip; q=0.000", False), ("gzipped", False), ("gzip," * 1000, False),
    ],
)  # fmt: skip
def test_who_accepts_gzip(codings: str, accepted: bool) -> None:
    assert answers.accepts_gzip(codings) is accepted


def test_a_rendering_is_compressed_once_for_each_change() -> None:
    window = partial(7)
    text = window.playlist(None)
    first = window.compressed(text)
    assert window.compressed(window.playlist(None)) is first
    feed(window, slices(stream()), numbers=[1007])
    assert window.compressed(window.playlist(None)) is not first
