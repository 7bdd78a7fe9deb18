"""Small servers on loopback for inputs that come over the network; each counts who came."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request for a path; the connection is closed behind it."""


class Server:
    """An HTTP server; what is asked for stands in ``asked``."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self.asked: list[str] = []

    async def start(self, host: str = "127.0.0.1") -> None:
        """Begin, or begin again at the same port."""
        self._server = await asyncio.start_server(self._serve, host, self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in set(self._open):
            writer.transport.abort()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http{'s' if self._tls else ''}://{self._server.sockets[0].getsockname()[0]}:{self._port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            await self._answer(path, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


@asynccontextmanager
async def serving(answer: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answer, tls)
    await server.start(host)
    try:
        yield server
    finally:
        await server.stop()


def ok(body: bytes, kind: str = "video/mp2t") -> bytes:
    """An answer; a transport stream has no end that is known before."""
    length = "" if kind == "video/mp2t" else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\n{length}\r\n".encode() + body


def redirect(url: str) -> bytes:
    return f"HTTP/1.0 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()
