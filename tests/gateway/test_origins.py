"""Foreign pages are kept out, players and programs let in."""

import asyncio

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.origins import Origins


async def answer_ok(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def request(
    method: str = "GET", path: str = "/", *, allowed: tuple[str, ...] = (), server: str = "127.0.0.1", **headers: str
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Origins(answer_ok, allowed_hosts=allowed))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{server}:8080") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "LocalHost:1", "127.0.0.1:80", "[::1]:8080"])
def test_the_names_of_this_machine_are_let_in_with_any_port(host: str) -> None:
    assert request(Host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1", "[", ""])
def test_a_name_that_is_not_on_the_list_is_misdirected(host: str) -> None:
    answer = request(Host=host)
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert "allowed_hosts" in answer.json()["detail"]


def test_a_configured_name_is_let_in() -> None:
    assert request(Host="tv.lan:8080", allowed=("TV.lan",)).status_code == 200
    assert request(Host="any.example", allowed=("*",)).status_code == 200


def test_the_address_on_which_the_connection_came_in_is_let_in() -> None:
    assert request(server="192.168.1.5", Host="192.168.1.5:8080").status_code == 200
    assert request(server="192.168.1.5", Host="192.168.1.6:8080").status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://["])
def test_a_foreign_page_may_not_change_anything(method: str, origin: str) -> None:
    answer = request(method, "/api/v1/streams", Origin=origin)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origin", ["http://localhost:8080", "http://127.0.0.1:8080"])
def test_the_own_page_may(origin: str) -> None:
    assert request("POST", "/api/v1/streams", Origin=origin).status_code == 200


def test_programs_that_send_no_origin_may() -> None:
    assert request("PUT", "/ingest/key").status_code == 200


def test_media_may_be_read_by_any_page() -> None:
    answer = request("GET", "/live/abc/index.m3u8", Origin="https://elsewhere.example")
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"


def test_nothing_else_may() -> None:
    answer = request("GET", "/api/v1/streams", Origin="https://elsewhere.example")
    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_for_media_is_answered_here() -> None:
    answer = request("OPTIONS", "/live/abc/index.m3u8", Origin="https://elsewhere.example")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "range" in answer.headers["access-control-allow-headers"]
