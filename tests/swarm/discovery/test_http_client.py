"""Trackers that lie on the wire: each is refused with the reason, in bounded time and memory."""

import asyncio
import gzip
import socket
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest

from swarm.discovery import http_client
from swarm.discovery.http_client import ANSWER_BYTES_MAX, fetch, new_client
from swarm.errors import TrackerError
from swarm.tracker_url import parse_tracker

OK = b"HTTP/1.1 200 OK\r\n"
BOMB = gzip.compress(bytes(20_000_000))


async def ask(answer: bytes, asked: list[bytes]) -> bytes:
    """What comes of a tracker's answer; ``asked`` is given the request as the tracker sees it."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if answer:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    tracker = parse_tracker(f"http://tracker.example:{server.sockets[0].getsockname()[1]}/announce")
    try:
        async with new_client() as client:
            return await fetch(client, tracker, "127.0.0.1", "/announce?info_hash=%00a")
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


def with_body(body: bytes, head: bytes = b"") -> bytes:
    return OK + head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


def test_the_address_that_was_checked_is_asked_in_the_trackers_name() -> None:
    asked: list[bytes] = []
    assert asyncio.run(ask(with_body(b"d8:intervali60ee"), asked)) == b"d8:intervali60ee"
    head = asked[0].decode().lower()
    assert asked[0].startswith(b"GET /announce?info_hash=%00a HTTP/1.1\r\n")
    assert "host: tracker.example:" in head
    assert "python" not in head
    assert "cookie" not in head


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_answer_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    answer = with_body(pack(b"d8:intervali60ee"), b"Content-Encoding: gzip\r\n")
    assert asyncio.run(ask(answer, [])) == b"d8:intervali60ee"


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:22/\r\nContent-Length: 0\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answers 404"),
        (with_body(bytes(ANSWER_BYTES_MAX + 1)), "more than 65536 bytes"),
        (OK + b"\r\n" + bytes(10_000_000), "more than 65536 bytes"),
        (with_body(BOMB, b"Content-Encoding: gzip\r\n"), "more than 65536 bytes, unpacked"),
        (with_body(gzip.compress(BOMB), b"Content-Encoding: gzip, gzip\r\n"), "not asked for"),
        (with_body(b"x", b"Content-Encoding: br\r\n"), "not asked for"),
        (with_body(b"no gzip", b"Content-Encoding: gzip\r\n"), "cannot be unpacked"),
        (b"SSH-2.0-OpenSSH\r\n", "does not answer"),
        (OK + b"X: " + b"x" * 1_000_000, "does not answer"),
        (OK + b"Content-Length: 100\r\n\r\nshort", "does not answer"),
    ],
)
def test_a_lying_tracker_is_refused(answer: bytes, wrong: str) -> None:
    with pytest.raises(TrackerError, match=wrong):
        asyncio.run(ask(answer, []))


def test_a_slow_tracker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "ANSWER_S", 0.05)
    with pytest.raises(TrackerError, match="within"):
        asyncio.run(ask(b"", []))


def test_a_tracker_that_is_not_there_is_said() -> None:
    async def nobody() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # and does not listen
            tracker = parse_tracker(f"http://tracker.example:{closed.getsockname()[1]}/announce")
            async with new_client() as client:
                await fetch(client, tracker, "127.0.0.1", "/announce")

    with pytest.raises(TrackerError, match="does not answer"):
        asyncio.run(nobody())
