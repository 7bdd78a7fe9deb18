"""Connections that never become a request: closed in time, and bounded in number and in bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect

from gateway.http_door import HEAD_BYTES_MAX, HttpDoor
from gateway.strangers import Strangers

pytestmark = [pytest.mark.e2e, pytest.mark.alongside]
HELLO = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def open_door(head_within_s: float, read: asyncio.Future[bytes] | None = None) -> AsyncIterator[int]:
    """Its port. ``/late`` puts into ``read`` what it reads of a request whose sender has hung up."""

    class Door(HttpDoor):
        strangers = Strangers(total=6, per_address=4)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            gone.set()

    Door.head_within_s = head_within_s
    app, gone = FastAPI(), asyncio.Event()

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body()) + len(request.headers)

    @app.post("/late")
    async def late(request: Request) -> None:
        await gone.wait()
        received = bytearray()
        try:
            async for chunk in request.stream():
                received += chunk
        except ClientDisconnect:
            received += b" and no end"
        assert read is not None
        read.set_result(bytes(received))

    server = uvicorn.Server(uvicorn.Config(app, port=0, http=Door, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


def at_door(visit: Callable[[int], Coroutine[None, None, None]], *, head_within_s: float = 30.0) -> None:
    async def run() -> None:
        async with open_door(head_within_s) as port:
            await visit(port)

    asyncio.run(run())


async def connect(port: int, own: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(own, 0))


async def answer_to(port: int, data: bytes, own: str = "127.0.0.1") -> bytes:
    """The first line of the answer; empty when the connection is closed without one."""
    reader, writer = await connect(port, own)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.readline(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_a_head_without_end_is_refused_before_it_fills_the_memory() -> None:
    async def visit(port: int) -> None:
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\n")
        sent = 0
        while sent < 100 * HEAD_BYTES_MAX and not reader.at_eof():
            writer.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            sent += 1012
            try:
                await writer.drain()
            except ConnectionError:
                break
        assert sent < 100 * HEAD_BYTES_MAX
        writer.close()
        assert (await answer_to(port, b"GET /" + b"x" * (HEAD_BYTES_MAX + 1))).startswith(b"HTTP/1.1 431 ")
        assert (await answer_to(port, HELLO)).startswith(b"HTTP/1.1 200 ")

    at_door(visit)


def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async def visit(port: int) -> None:
        for data in (b"", b"GET / HTTP/1.1\r\nX-", HELLO + b"GET / HT"):
            reader, writer = await connect(port)
            writer.write(data)
            with pytest.raises(ConnectionResetError):  # noqa: PT012 - the answer to what was whole comes before
                await asyncio.wait_for(reader.read(), 20)
                raise ConnectionResetError
            writer.close()

    at_door(visit, head_within_s=0.1)


def test_strangers_are_few_and_do_not_keep_others_out() -> None:
    async def visit(port: int) -> None:
        held = [await connect(port) for _ in range(4)]
        for _, writer in held:
            writer.write(b"GET /")
        assert await answer_to(port, HELLO) == b""
        assert (await answer_to(port, HELLO, "127.0.0.2")).startswith(b"HTTP/1.1 200 ")
        reader, writer = held[0]
        writer.write(b"hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert (await answer_to(port, HELLO)).startswith(b"HTTP/1.1 200 ")  # it is no stranger any more
        for _, writer in held:
            writer.close()

    at_door(visit)


def test_trailers_are_not_kept() -> None:
    async def visit(port: int) -> None:
        reader, writer = await connect(port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
        writer.write(b"X-Trailer: y\r\n" * 100 + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        body = (await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)).rpartition(b"\n")[2]
        assert body == b"5"
        writer.close()

    at_door(visit)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(b"3\r\nabc\r\n0\r\n\r\n", b"abc"), (b"0\r\n\r\n", b""), (b"3\r\nabc\r\n4\r\nd", b"abcd and no end")],
)
def test_what_came_before_a_sender_hung_up_is_read_to_its_end(sent: bytes, expected: bytes) -> None:
    async def run() -> None:
        read = asyncio.get_running_loop().create_future()
        async with open_door(30.0, read) as port:
            _, writer = await connect(port)
            writer.write(b"POST /late HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + sent)
            writer.close()
            assert await asyncio.wait_for(read, 20) == expected

    asyncio.run(run())
