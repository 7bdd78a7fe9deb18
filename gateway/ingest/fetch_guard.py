"""An HTTP proxy on loopback between ffmpeg and public servers: whatever they name, it leads to no private address.

ffmpeg follows redirections, and fetches what playlists name. All of that goes through here, where each host name is
resolved once and the very address that was looked at is connected to: a name whose owner changes its address meanwhile
gains nothing. Takes ``CONNECT`` (RFC 9110 section 9.3.6) for https, and requests with a whole URL for http.
"""

import asyncio
import logging
import os
from collections.abc import Coroutine
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from gateway.ingest.private_hosts import is_private

logger = logging.getLogger(__name__)

HEAD_BYTES_MAX = 1 << 16
CHUNK_BYTES = 1 << 16
ANSWER_WITHIN_S = 10.0
HOP_HEADERS = (b"connection:", b"proxy-connection:", b"proxy-authorization:", b"keep-alive:")


class Refused(Exception):
    """A request that is not passed on, with the status line that says so."""


class FetchGuard:
    """Used as ``async with``; `environment` makes an ffmpeg go through it."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.refused = ""
        """The host that was refused last, because it is private."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    @property
    def environment(self) -> dict[str, str]:
        """This process's variables, with those that lead ffmpeg here."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if name not in ("no_proxy", "http_proxy")}
        return kept | {"http_proxy": f"http://127.0.0.1:{port}"}

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="fetch guard")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._pass_on(reader, writer)
        except Refused as refusal:
            writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one of the two has gone
        finally:
            await _close(writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
                host, port, head = read_request(head)
                far_reader, far_writer = await self._connect(host, port)
        except TimeoutError as error:
            raise Refused("504 Gateway Timeout") from error
        try:
            if head:
                far_writer.write(head)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _exchange(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            await _close(far_writer)

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises Refused."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=2)
        except (OSError, UnicodeError) as error:
            raise Refused("502 Host not found") from error
        addresses = [str(entry[4][0]) for entry in found]
        if any(map(is_private, addresses)):
            self.refused = host
            logger.warning("Not fetched: %s is a private address, to which a public server leads", host)
            raise Refused("403 Private address")
        for address in addresses:
            with suppress(OSError):
                return await asyncio.open_connection(address, port)
        raise Refused("502 Host does not answer")


def read_request(head: bytes) -> tuple[str, int, bytes]:
    """Host, port, and the head to pass on: b"" for a tunnel, else for one request. Raises Refused."""
    line, _, rest = head.partition(b"\r\n")
    try:
        method, target, version = line.decode("ascii").split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            port = parts.port
        else:
            parts = urlsplit(target)
            port = parts.port or 80
    except ValueError as error:
        raise Refused("400 Bad Request") from error
    if not parts.hostname or port is None or (method != "CONNECT" and parts.scheme != "http"):
        raise Refused("400 Bad Request")
    if method == "CONNECT":
        return parts.hostname, port, b""
    path = target.split("/", 3)[3] if target.count("/") > 2 else ""
    lines = [line for line in rest.split(b"\r\n") if line and not line.lower().startswith(HOP_HEADERS)]
    first = f"{method} /{path} {version}".encode()
    return parts.hostname, port, b"\r\n".join((first, *lines, b"Connection: close", b"", b""))


async def _exchange(*ways: Coroutine[None, None, None]) -> None:
    """Both ways, until one of them is over."""
    pumps = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one end closes; no faster than the other end takes it."""
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
