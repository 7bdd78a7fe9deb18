"""Endless answers, and HLS of MPEG-TS, through the whole stack of routes without a network."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import m3u8
import pytest
from fastapi import FastAPI
from starlette.types import Message

from gateway.live import LiveWindow
from gateway.live.order import Piece
from gateway.live.transport import TransportStreams
from gateway.media.errors import CodecError
from gateway.media.payload import PieceSlice
from gateway.origins import Origins
from gateway.problems import Problem, install
from gateway.routes import answers
from gateway.routes.continuous import continuous_router
from gateway.routes.hls import hls_router
from gateway.routes.hls_transport import hls_transport_router
from tests.conftest import need_ffprobe
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, feed, live, rung, slices, stream
from tests.gateway.transport_reader import check_counters, read_packets, read_pes

ENDLESS = (("stream.ts", "video/mp2t"), ("stream.mp4", "video/mp4"))
MANY = 1000
"""Turns of the event loop, after which everything that could happen has happened."""


class Stage:
    """The routes over one window; counts how often it was asked for."""

    def __init__(self, window: LiveWindow) -> None:
        self.window = window
        self.watched = 0
        self.gone = False
        self.app = FastAPI()
        install(self.app)
        transports = TransportStreams(2.0)
        self.app.include_router(continuous_router(self.watch, transports))
        self.app.include_router(hls_transport_router(self.watch, transports))
        self.app.include_router(hls_router(self.watch))
        self.app.add_middleware(Origins, allowed_hosts=())

    async def watch(self, name: str) -> LiveWindow:
        self.watched += 1
        if self.gone or name != "known":
            raise Problem(status=404, title="This gateway does not know that stream")
        return self.window

    @asynccontextmanager
    async def player(self) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost/live/known/") as client:
            yield client


class Player:
    """A player that takes each piece of an endless answer when it is told to: the other end of a connection."""

    def __init__(self, stage: Stage, path: str) -> None:
        self.received: list[bytes] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ready = asyncio.Event()
        self.ready.set()
        self._gone = asyncio.Event()
        self._stage = stage
        self._scope = {
            "type": "http",
            "method": "GET",
            "path": f"/live/known/{path}",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        self._asked = False

    async def run(self) -> None:
        await self._stage.app(self._scope, self._receive, self._send)

    def leave(self) -> None:
        self._gone.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.received)

    async def _receive(self) -> dict[str, object]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.ready.wait()
        if message["type"] == "http.response.start":
            status = message["status"]
            assert isinstance(status, int)
            self.status = status
        elif body := message.get("body", b""):
            assert isinstance(body, bytes)
            self.received.append(body)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(MANY):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("nothing more happens, and it has not come to that")


def opened(*numbers: int, seconds: float = 8) -> LiveWindow:
    window = LiveWindow()
    window.set_description(7, stream(seconds=seconds).description)
    feed(window, slices(stream(seconds=seconds)), numbers=numbers)
    return window


def put(window: LiveWindow, *numbers: int, seconds: float = 8) -> None:
    feed(window, slices(stream(seconds=seconds)), numbers=numbers)


def put_piece(window: LiveWindow, content: PieceSlice, at: int, rendition: int) -> None:
    window.add(
        Piece(
            number=1000 + at,
            epoch=7,
            capture_us=CAPTURE_US + at * PIECE_US,
            duration_us=PIECE_US,
            content=content,
            rendition=rendition,
        )
    )


def ask(stage: Stage, path: str, method: str = "GET") -> httpx.Response:
    async def main() -> httpx.Response:
        async with stage.player() as client:
            return await client.request(method, path)

    return asyncio.run(main())


def pictures(data: bytes, path: Path) -> int:
    """Frames that ffprobe decodes; fails when it complains."""
    path.write_bytes(data)
    command = [need_ffprobe(), "-v", "warning", "-of", "json", "-select_streams", "v", "-show_entries", "frame=pts"]
    result = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True)
    assert not result.stderr
    return len(json.loads(result.stdout)["frames"])


def widths(path: Path) -> list[int]:
    """Of each frame that ffprobe decodes."""
    command = [need_ffprobe(), "-v", "error", "-of", "json", "-select_streams", "v", "-show_entries", "frame=width"]
    result = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True)
    return [frame["width"] for frame in json.loads(result.stdout)["frames"]]


@pytest.mark.parametrize(("path", "media_type"), ENDLESS)
def test_head_tells_the_type_and_sends_nothing(path: str, media_type: str) -> None:
    answer = ask(Stage(live()), path, "HEAD")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "content-length" not in answer.headers
    assert answer.content == b""


@pytest.mark.parametrize(("path", "media_type"), ENDLESS)
def test_what_is_here_is_sent_at_once_and_decodes(path: str, media_type: str, tmp_path: Path) -> None:
    window = live(4)
    window.end()
    answer = ask(Stage(window), path)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert pictures(answer.content, tmp_path / path) == 25


@pytest.mark.parametrize(("path", "frames"), [("stream.ts", 45), ("stream.mp4", 45)])
def test_parts_are_sent_as_they_come_until_the_end(path: str, frames: int, tmp_path: Path) -> None:
    async def main() -> bytes:
        window = opened(1000)
        stage = Stage(window)
        player = Player(stage, path)
        running = asyncio.create_task(player.run())
        before = 1 if path == "stream.ts" else 2
        await until(lambda: len(player.received) == before)
        for number in range(1001, 1009):
            put(window, number)
            await until(lambda: len(player.received) == before + number - 1000)  # noqa: B023 - awaited here
        assert stage.watched >= 9
        window.end()
        await running
        return player.body

    assert pictures(asyncio.run(main()), tmp_path / path) == frames


def test_two_players_get_the_same_bytes_objects() -> None:
    async def main() -> None:
        window = opened(1000)
        stage = Stage(window)
        players = [Player(stage, "stream.ts") for _ in range(2)]
        running = [asyncio.create_task(player.run()) for player in players]
        put(window, *range(1001, 1010))
        window.end()
        await asyncio.gather(*running)
        assert [id(data) for data in players[0].received] == [id(data) for data in players[1].received]

    asyncio.run(main())


def test_a_player_that_does_not_read_holds_up_nobody_and_goes_on_at_a_key_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.live.feed.LAG_S_MAX", 3.0)

    async def main() -> None:
        window = opened(1000, seconds=20)
        stage = Stage(window)
        stuck, quick = Player(stage, "stream.ts"), Player(stage, "stream.ts")
        running = [asyncio.create_task(player.run()) for player in (stuck, quick)]
        await until(lambda: len(stuck.received) == len(quick.received) == 1)
        stuck.ready.clear()
        for number in range(1001, 1098):
            put(window, number, seconds=20)
            await until(lambda: len(quick.received) == number - 999)  # noqa: B023 - awaited here
        assert len(stuck.received) == 1
        stuck.ready.set()
        await until(lambda: len(stuck.received) == 5)
        window.end()
        await asyncio.gather(*running)
        # What waited for it was one part; then it went on with the newest segment.
        assert stuck.received[1] is quick.received[1]
        assert stuck.received[2:] == quick.received[95:98]
        check_counters(read_packets(quick.body))

    asyncio.run(main())


def test_a_player_that_leaves_is_forgotten() -> None:
    async def main() -> None:
        window = opened(1000)
        stage = Stage(window)
        player = Player(stage, "stream.ts")
        running = asyncio.create_task(player.run())
        await until(lambda: len(player.received) == 1)
        player.leave()
        await running
        watched = stage.watched
        put(window, *range(1001, 1010))
        await asyncio.sleep(0)
        assert stage.watched == watched

    asyncio.run(main())


@pytest.mark.parametrize("path", ["stream.ts", "stream.mp4"])
def test_an_answer_ends_when_its_stream_is_left(path: str) -> None:
    async def main() -> None:
        for change in ("window", "gone"):
            window = opened(1000)
            stage = Stage(window)
            player = Player(stage, path)
            running = asyncio.create_task(player.run())
            await until(lambda: bool(player.received))  # noqa: B023 - awaited here
            await until(lambda: stage.watched >= 2)  # noqa: B023 - awaited here
            stage.window, stage.gone = (LiveWindow(), False) if change == "window" else (window, True)
            put(window, 1001)
            await running

    asyncio.run(main())


@pytest.mark.parametrize(("by_s", "same_init", "goes_on"), [(4, True, True), (4, False, False), (0, True, False)])
def test_mp4_goes_on_in_a_new_epoch_only_where_it_fits(by_s: int, same_init: bool, goes_on: bool) -> None:
    from_the_start = stream(seconds=4)
    init = from_the_start if same_init else stream(seconds=4, size="640x360")
    window = opened(*range(1000, 1010), seconds=8)
    pieces = slices(stream(seconds=8), segment=110, discontinuity=1)
    again = pieces[20:] if by_s else pieces[:5]

    async def main() -> int:
        stage = Stage(window)
        player = Player(stage, "stream.mp4")
        running = asyncio.create_task(player.run())
        await until(lambda: len(player.received) == 6)
        window.set_description(8, init.description)
        feed(window, again, first=1010, epoch=8, capture_us=CAPTURE_US + 10_000_000)
        await until(lambda: running.done() or len(player.received) > 10)
        window.end()
        await running
        return len(player.received)

    assert (asyncio.run(main()) > 6) == goes_on


def test_mp4_goes_on_through_changes_of_the_rung_and_decodes(tmp_path: Path) -> None:
    """Up and down again, told by nobody: each picture is decoded, at its own size."""
    rungs = [rung(size, seconds=6) for size in ("160x90", "320x180")]
    window = LiveWindow()
    for number, source in enumerate(rungs):
        window.set_description(7, source.description, number)
    played = [0] * 10 + [1] * 10 + [0] * 10

    async def main() -> bytes:
        player = Player(Stage(window), "stream.mp4")
        put_piece(window, slices(rungs[0])[0], 0, 0)
        running = asyncio.create_task(player.run())
        await until(lambda: len(player.received) == 2)
        for at, number in enumerate(played[1:], 1):
            put_piece(window, slices(rungs[number])[at], at, number)
            await until(lambda: len(player.received) == at + 2)  # noqa: B023 - awaited here
        window.end()
        await running
        return player.body

    data = asyncio.run(main())
    assert pictures(data, tmp_path / "changing.mp4") == 150
    assert widths(tmp_path / "changing.mp4") == [160] * 50 + [320] * 50 + [160] * 50


def test_mp4_waits_for_the_key_frame_of_another_rung() -> None:
    rungs = [rung(size, seconds=6) for size in ("160x90", "320x180")]
    window = LiveWindow()
    for number, source in enumerate(rungs):
        window.set_description(7, source.description, number)

    async def main() -> list[bytes]:
        player = Player(Stage(window), "stream.mp4")
        put_piece(window, slices(rungs[0])[0], 0, 0)
        running = asyncio.create_task(player.run())
        await until(lambda: len(player.received) == 2)
        window.lose_piece(1005)
        for at in range(1, 15):
            if at != 5:
                put_piece(window, slices(rungs[at >= 5])[at], at, int(at >= 5))
        window.end()
        await running
        return player.received

    received = asyncio.run(main())
    sent = [*range(5), *range(10, 15)]
    assert len(received) == 1 + len(sent)
    for data, at in zip(received[1:], sent, strict=True):
        # The boxes in front are made anew; the picture stays as it is.
        picture = slices(rungs[at >= 5])[at].parts[0].data
        assert bytes(picture[-200:]) in data


def test_transport_goes_on_in_a_new_epoch() -> None:
    async def main() -> bytes:
        window = opened(*range(1000, 1005))
        player = Player(Stage(window), "stream.ts")
        running = asyncio.create_task(player.run())
        await until(lambda: len(player.received) == 5)
        window.set_description(8, stream(seconds=8).description)
        again = slices(stream(seconds=8), segment=101, discontinuity=1)[:10]
        feed(window, again, first=1005, epoch=8, capture_us=CAPTURE_US + 3_000_000)
        await until(lambda: len(player.received) == 15)
        window.end()
        await running
        return player.body

    packets = read_packets(asyncio.run(main()))
    check_counters(packets)
    times = [pes.dts for pes in read_pes(packets, 0x100)]
    assert times == sorted(set(times))
    assert len(times) == 75


@pytest.mark.parametrize("path", ["stream.ts", "ts.m3u8", "ts/100.ts"])
def test_a_picture_that_does_not_fit_is_a_406_problem(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise CodecError("MPEG-TS carries H.264 only.")

    monkeypatch.setattr("gateway.media.programme.read_picture", refuse)
    answer = ask(Stage(live()), path)
    assert answer.status_code == 406
    assert answer.json()["type"] == "urn:seedcast:problem:no-transport"


@pytest.mark.parametrize("path", ["stream.ts", "stream.mp4", "ts.m3u8"])
def test_a_stream_without_a_key_frame_is_a_503_problem(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_TIMEOUT_S", 0.01)
    assert ask(Stage(LiveWindow()), path).status_code == 503


def test_segments_of_the_playlist_are_there_and_decode(tmp_path: Path) -> None:
    window = live(8)
    window.end()
    stage = Stage(window)
    playlist = ask(stage, "ts.m3u8")
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.headers["cache-control"] == "no-cache"
    parsed = m3u8.loads(playlist.text)
    assert parsed.version == 3
    assert parsed.is_endlist
    assert len(parsed.segments) == 4
    whole = b""
    for segment in parsed.segments:
        answer = ask(stage, segment.uri)
        assert answer.headers["content-type"] == "video/mp2t"
        assert "immutable" in answer.headers["cache-control"]
        assert pictures(answer.content, tmp_path / "segment.ts") == round(segment.duration * 25)
        assert ask(stage, segment.uri, "HEAD").headers["content-length"] == str(len(answer.content))
        whole += answer.content
    check_counters(read_packets(whole))


@pytest.mark.parametrize("path", ["ts/1.ts", "ts/999.ts", "ts/x.ts", f"ts/{'9' * 5000}.ts", "stream.mkv"])
def test_what_is_not_here_is_a_404_problem(path: str) -> None:
    answer = ask(Stage(live()), path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_playlist_waits_for_three_segments() -> None:
    async def main() -> None:
        window = opened(*range(1000, 1012))
        stage = Stage(window)
        async with stage.player() as client:
            task = asyncio.create_task(client.get("ts.m3u8"))
            for _ in range(MANY):
                await asyncio.sleep(0)
            assert not task.done()
            put(window, *range(1012, 1031))
            assert len(m3u8.loads((await task).text).segments) == 3

    asyncio.run(main())


def test_the_playlist_takes_one_segment_when_more_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_TIMEOUT_S", 0.01)
    assert len(m3u8.loads(ask(Stage(opened(*range(1000, 1012))), "ts.m3u8").text).segments) == 1
    answer = ask(Stage(opened(1000)), "ts.m3u8")
    assert answer.status_code == 503
    assert "whole segment" in answer.json()["title"]
