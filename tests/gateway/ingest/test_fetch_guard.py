"""The proxy that keeps ffmpeg out of private networks: what it passes on, what it refuses, whatever it is sent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest import fetch_guard
from gateway.ingest.fetch_guard import FetchGuard, Refused, read_request
from tests.gateway.ingest.servers import ok, serving


@pytest.mark.parametrize(
    ("head", "host", "port", "passed_on"),
    [
        (b"CONNECT x.org:443 HTTP/1.1\r\nHost: x.org\r\n\r\n", "x.org", 443, b""),
        (b"CONNECT [2620:fe::9]:8443 HTTP/1.1\r\n\r\n", "2620:fe::9", 8443, b""),
        (
            b"GET http://x.org:81/a/b.ts?c=d//e HTTP/1.1\r\nHost: x.org:81\r\nRange: bytes=0-\r\nKeep-Alive: 5\r\n\r\n",
            "x.org",
            81,
            b"GET /a/b.ts?c=d//e HTTP/1.1\r\nHost: x.org:81\r\nRange: bytes=0-\r\nConnection: close\r\n\r\n",
        ),
        (b"GET http://x.org HTTP/1.1\r\n\r\n", "x.org", 80, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
    ],
)
def test_what_is_asked_for(head: bytes, host: str, port: int, passed_on: bytes) -> None:
    assert read_request(head) == (host, port, passed_on)


@pytest.mark.parametrize(
    "line",
    [
        "GET /film.ts HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET ftp://x/y HTTP/1.1",
        "CONNECT x.org HTTP/1.1",
        "X",
        "",
    ],
)
def test_what_is_no_request_to_a_server_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        read_request(f"{line}\r\n\r\n".encode())


@given(st.binary(max_size=300))
def test_whatever_it_is_sent_is_a_request_or_refused(head: bytes) -> None:
    try:
        host, port, _ = read_request(head)
    except Refused:
        return
    assert host
    assert 0 <= port < 65536


def port_of(guard: FetchGuard) -> int:
    return int(guard.environment["http_proxy"].rpartition(":")[2])


async def ask(guard: FetchGuard, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(guard))
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_this_machine_is_not_reached_under_any_of_its_names(host: str) -> None:
    async def run() -> None:
        async with serving(lambda _, writer: _answer(writer)) as server, FetchGuard() as guard:
            port = server.url.rpartition(":")[2]
            for request in (f"GET http://{host}:{port}/ HTTP/1.1\r\n\r\n", f"CONNECT {host}:{port} HTTP/1.1\r\n\r\n"):
                assert (await ask(guard, request)).startswith((b"HTTP/1.1 403", b"HTTP/1.1 502"))
            assert server.asked == []

    asyncio.run(run())


def test_what_may_be_reached_is_passed_on_and_tunnelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_guard, "is_private", lambda _: False)

    async def run() -> None:
        async with serving(lambda _, writer: _answer(writer)) as server, FetchGuard() as guard:
            assert await ask(guard, f"GET {server.url}/a?b HTTP/1.1\r\n\r\n") == ok(b"film")
            place = server.url.removeprefix("http://")
            tunnelled = await ask(guard, f"CONNECT {place} HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n")
            assert tunnelled.endswith(ok(b"film"))
            assert server.asked == ["/a?b", "/c"]

    asyncio.run(run())


def test_a_name_that_leads_to_one_private_address_too_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("9.9.9.9", 80)), (2, 1, 6, "", ("192.168.1.1", 80))]

    async def run() -> None:
        async with FetchGuard() as guard:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both, raising=False)
            answer = await ask(guard, "CONNECT rebound.example:80 HTTP/1.1\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 403")
            assert guard.refused == "rebound.example"

    asyncio.run(run())


def test_nothing_of_the_users_own_proxy_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("http_proxy", "http://proxy.example")

    async def run() -> dict[str, str]:
        async with FetchGuard() as guard:
            return guard.environment

    environment = asyncio.run(run())
    assert "no_proxy" not in environment
    assert environment["http_proxy"].startswith("http://127.0.0.1:")


async def _answer(writer: asyncio.StreamWriter) -> None:
    writer.write(ok(b"film"))
