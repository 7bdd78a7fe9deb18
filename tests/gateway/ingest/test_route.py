"""``/ingest/{key}`` over real HTTP, pushed to by the real ffmpeg."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from gateway.http_door import HttpDoor
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.uploads import Uploads
from gateway.problems import install
from gateway.routes.ingest import ingest_router
from tests.gateway.ingest.streams import Listener, hashes

pytestmark = pytest.mark.e2e


@dataclass
class Site:
    """A gateway's ingest that answers on loopback."""

    url: str
    keys: IngestKeys
    key: str
    listener: Listener
    client: httpx.AsyncClient

    def path(self, key: str = "") -> str:
        return f"{self.url}/ingest/{key or self.key}"


@asynccontextmanager
async def open_site(tool: Ffmpeg, *, idle_s: float = 10.0) -> AsyncIterator[Site]:
    keys, listener = IngestKeys(), Listener()
    desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool, idle_s=idle_s)
    app = FastAPI()
    install(app)
    uploads = Uploads(desk)
    app.include_router(ingest_router(desk, uploads))
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=HttpDoor, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(timeout=30) as client:
        yield Site(f"http://127.0.0.1:{port}", keys, keys.add("studio").key, listener, client)
    server.should_exit = True
    await serving
    await uploads.close()
    desk.close()


def at_site(tool: Ffmpeg, visit: Callable[[Site], Coroutine[None, None, None]], *, idle_s: float = 10.0) -> None:
    async def run() -> None:
        async with open_site(tool, idle_s=idle_s) as site:
            await visit(site)

    asyncio.run(run())


async def start_pusher(tool: Ffmpeg, film: Path, url: str, *options: str) -> asyncio.subprocess.Process:
    arguments = ("-v", "error", "-nostdin", "-re", "-i", str(film), "-c", "copy", *options, "-f", "mpegts", url)
    return await asyncio.create_subprocess_exec(tool.path, *arguments, stderr=asyncio.subprocess.PIPE)


@pytest.mark.alongside
@pytest.mark.parametrize("options", [(), ("-method", "PUT")])
def test_ffmpeg_pushes_a_film(each_tool: Ffmpeg, films: Path, options: tuple[str, ...]) -> None:
    async def visit(site: Site) -> None:
        pusher = await start_pusher(each_tool, films / "film.mp4", site.path(), *options)
        _, complaints = await pusher.communicate()
        assert (pusher.returncode, complaints) == (0, b"")
        await site.listener.until(lambda: sum(piece.duration_us for piece in site.listener.pieces) >= 2_900_000)
        film = await asyncio.to_thread(hashes, each_tool, str(films / "film.mp4"))
        assert await asyncio.to_thread(hashes, each_tool, "-", film=site.listener.film()) == film

    at_site(each_tool, visit)


@pytest.mark.alongside
def test_a_pusher_that_was_killed_and_started_anew_goes_on(tool: Ffmpeg, films: Path) -> None:
    async def visit(site: Site) -> None:
        first = await start_pusher(tool, films / "film.mp4", site.path())
        await site.listener.until_pieces(4)
        first.kill()
        await first.communicate()
        second = await start_pusher(tool, films / "film.mp4", site.path())
        _, complaints = await second.communicate()
        assert (second.returncode, complaints) == (0, b"")
        contents, numbers = site.listener.contents, [piece.number for piece in site.listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        discontinuities = [content.discontinuity for content in contents]
        assert sorted(set(discontinuities)) == [discontinuities[0], discontinuities[0] + 1]
        turn = discontinuities.index(discontinuities[0] + 1)
        assert site.listener.pieces[turn].key
        assert contents[turn].segment == contents[turn - 1].segment + 1
        assert len(site.listener.descriptions) == 2
        assert site.listener.ends == 0

    at_site(tool, visit)


def test_the_answer_says_what_came(tool: Ffmpeg, films: Path) -> None:
    async def visit(site: Site) -> None:
        data = (films / "film.ts").read_bytes()
        answer = await site.client.post(site.path(), content=data)
        assert answer.status_code == 200
        assert answer.json().keys() == {"seconds", "bytes"}
        assert answer.json()["bytes"] == len(data)

    at_site(tool, visit)


def assert_problem(answer: httpx.Response, status: int, slug: str, hint: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(slug)
    assert hint in answer.json()["detail"]


def test_what_is_refused_says_why(tool: Ffmpeg, films: Path) -> None:
    async def visit(site: Site) -> None:
        post = site.client.post
        expired = site.keys.add("old", expires=datetime(2026, 1, 2, 3, 4, tzinfo=UTC)).key
        film = (films / "film.mp4").read_bytes()
        assert_problem(await post(site.path("0" * 32), content=b"G" * 2000), 403, "unknown-ingest-key", "seedcast keys")
        assert_problem(await post(site.path(expired), content=film), 403, "expired-ingest-key", "2026-01-02 03:04 UTC")
        assert_problem(await post(site.path(), content=film), 422, "push-unusable", "+cmaf")
        assert_problem(await post(site.path(), content=b""), 415, "not-mpeg-ts", "-f mpegts")
        assert (await site.client.get(site.path())).status_code == 405
        assert_problem(await post(f"{site.url}/ingest/"), 401, "ingest-key-missing", "Bearer KEY")
        assert site.listener.pieces == []

    at_site(tool, visit)


def test_a_chunk_that_is_all_extension_is_not_waited_for(tool: Ffmpeg) -> None:
    async def visit(site: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rsplit(":", 1)[1]))
        head = f"POST /ingest/{site.key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;filler="
        writer.write(head.encode())
        answer = asyncio.create_task(reader.readline())
        while not answer.done():
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.wait((answer,), timeout=0.01)
        assert answer.result().startswith(b"HTTP/1.1 408 ")
        writer.close()

    at_site(tool, visit, idle_s=0.3)


def test_a_sender_that_falls_silent_is_told(tool: Ffmpeg) -> None:
    async def visit(site: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rsplit(":", 1)[1]))
        head = f"POST /ingest/{site.key} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode() + b"3\r\n\x47\x40\x00\r\n")
        answer = await asyncio.wait_for(reader.read(), 20)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"push-silent" in answer
        writer.close()
        await writer.wait_closed()

    at_site(tool, visit, idle_s=0.3)


@pytest.mark.parametrize("form", [("-f", "mpegts"), ("-f", "hls", "-hls_time", "1", "-method", "PUT")])
def test_ffmpeg_shows_its_key_as_a_password_when_it_is_asked(tool: Ffmpeg, films: Path, form: tuple[str, ...]) -> None:
    async def visit(site: Site) -> None:
        url = f"{site.url.replace('//', f'//studio:{site.key}@')}/ingest"
        target = f"{url}/index.m3u8" if "hls" in form else url
        arguments = ("-v", "error", "-nostdin", "-i", str(films / "film.mp4"), "-c", "copy", *form, target)
        pusher = await asyncio.create_subprocess_exec(tool.path, *arguments, stderr=asyncio.subprocess.PIPE)
        _, complaints = await pusher.communicate()
        assert (pusher.returncode, complaints) == (0, b"")
        await site.listener.until(lambda: sum(piece.duration_us for piece in site.listener.pieces) >= 2_900_000)

    at_site(tool, visit)


@pytest.mark.alongside
def test_a_key_may_stand_in_the_header(tool: Ffmpeg, films: Path) -> None:
    async def visit(site: Site) -> None:
        post, film = site.client.post, (films / "film.ts").read_bytes()
        bearer = {"authorization": f"Bearer {site.key}"}
        assert (await post(f"{site.url}/ingest", content=film, headers=bearer)).status_code == 200
        assert (await post(f"{site.path()}+backup", content=film)).status_code == 200
        answer = await site.client.put(f"{site.url}/ingest/live/index0.ts", content=film, headers=bearer)
        assert answer.status_code == 201
        assert (await site.client.delete(f"{site.url}/ingest/live/index0.ts", headers=bearer)).status_code == 204
        wrong = {"authorization": f"Bearer {'0' * 32}"}
        assert_problem(await post(f"{site.url}/ingest", headers=wrong), 403, "unknown-ingest-key", "seedcast keys")
        for path in ("/ingest", "/ingest/index0.ts", "/ingest/live/index0.ts"):
            asked = await site.client.put(site.url + path, content=film)
            assert_problem(asked, 401, "ingest-key-missing", "Bearer KEY")
            assert asked.headers["www-authenticate"].startswith("Basic realm=")

    at_site(tool, visit)


@pytest.mark.alongside
def test_a_key_in_use_is_refused_to_the_second_sender(tool: Ffmpeg, films: Path) -> None:
    async def visit(site: Site) -> None:
        first = await start_pusher(tool, films / "film.mp4", site.path())
        await site.listener.until_pieces(1)
        answer = await site.client.post(site.path(), content=b"G")
        assert_problem(answer, 409, "ingest-key-in-use", "Stop it first")
        first.kill()
        await first.communicate()

    at_site(tool, visit)
