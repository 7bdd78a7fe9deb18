"""Broadcasts and keys by the API, in a whole gateway with real ffmpeg: begun, told of, changed, ended, refused."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from gateway.app import Gateway, web_app
from gateway.ingest.private_hosts import leads_to_private
from tests.conftest import need_ffmpeg
from tests.gateway.test_app import settings, with_gateway

pytestmark = pytest.mark.e2e

BROADCASTS = "/api/v1/broadcasts"
KEYS = "/api/v1/keys"


async def until(asked: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again; the test's own time-out ends it."""
    while not await asked():  # noqa: ASYNC110 - the API has no event to wait for
        await asyncio.sleep(0.05)


def test_an_input_goes_on_air_is_told_of_and_ends_without_a_process_left(tmp_path: Path) -> None:
    need_ffmpeg()

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        begun = await client.post(BROADCASTS, json={"source": "test", "title": "Picture", "latency": "low"})
        assert begun.status_code == 201
        url = begun.headers["location"]

        async def on_air() -> bool:
            return bool((await client.get(url)).json()["state"] == "on-air")

        await until(on_air)
        (station,) = gateway.broadcasts.all()
        await asyncio.wait_for(station.on_air.started.wait(), 30)
        report = (await client.get(url)).json()
        assert (report["kind"], report["source"], report["title"], report["trouble"]) == (
            "input",
            "test",
            "Picture",
            "",
        )
        assert report["link"].startswith("seedcast:")
        assert report["pieces"] > 0
        playlist = await client.get(f"/live/{report['id']}/index.m3u8")
        assert playlist.status_code == 200
        assert [other["id"] for other in (await client.get(BROADCASTS)).json()] == [report["id"]]
        again = await client.post(BROADCASTS, json={"source": "test", "title": "Picture"})
        assert (again.status_code, again.json()["type"]) == (422, "urn:seedcast:problem:broadcast-refused")
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).json()["state"] == "stopped"
        assert not station.broadcast.is_running

    with_gateway(settings(tmp_path), work)


@pytest.mark.parametrize(
    ("new", "slug"),
    [
        ({"source": "/nowhere/film.mp4"}, "broadcast-refused"),
        ({"source": "test", "title": "x" * 121}, None),
        ({"source": ""}, None),
        ({"source": "test", "ladder": ["720"]}, "bad-ladder"),
        ({"source": "test", "latency": "soon"}, None),
        ({"source": "http://127.0.0.1:9/film.ts"}, "private-address"),
        ({"source": "http://[::1]:9/film.ts"}, "private-address"),
        ({"source": "rtsp://192.168.1.7/cam"}, "private-address"),
    ],
)
def test_what_cannot_go_on_air_is_refused_with_the_reason(tmp_path: Path, new: dict[str, object], slug: str) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        answer = await client.post(BROADCASTS, json=new)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert slug is None or answer.json()["type"] == f"urn:seedcast:problem:{slug}"
        assert gateway.broadcasts.all() == []

    with_gateway(settings(tmp_path), work)


def test_an_input_that_breaks_is_told_of_in_plain_words(tmp_path: Path) -> None:
    need_ffmpeg()
    (tmp_path / "film.mp4").write_bytes(b"no film at all" * 100)

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        begun = await client.post(BROADCASTS, json={"source": str(tmp_path / "film.mp4")})
        url = begun.headers["location"]

        async def failed() -> bool:
            return bool((await client.get(url)).json()["state"] == "failed")

        await until(failed)
        assert "cannot be read" in (await client.get(url)).json()["trouble"]

    with_gateway(settings(tmp_path / "data"), work)


def test_a_url_into_a_private_network_is_opened_when_the_user_asks(tmp_path: Path) -> None:
    need_ffmpeg()

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        answer = await client.post(BROADCASTS, json={"source": "http://127.0.0.1:9/film.ts", "allow_private": True})
        assert answer.status_code == 201

    with_gateway(settings(tmp_path), work)


@pytest.mark.parametrize("path", [BROADCASTS, f"{BROADCASTS}/x", KEYS])
def test_other_machines_may_neither_see_nor_change_anything(tmp_path: Path, path: str) -> None:
    async def work() -> None:
        gateway = Gateway(settings(tmp_path, host="0.0.0.0"))
        transport = httpx.ASGITransport(web_app(gateway), client=("192.168.1.9", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for method in ("GET", "POST", "DELETE"):
                answer = await client.request(method, path, json={"source": "test", "name": "x"})
                assert answer.status_code in (403, 405)
                assert answer.status_code == 405 or answer.json()["type"] == "urn:seedcast:problem:local-only"
        assert gateway.broadcasts.all() == []
        gateway._key.close()

    asyncio.run(work())


def test_keys_are_made_shown_once_rotated_and_taken_back(tmp_path: Path) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        made = await client.post(KEYS, json={"name": "studio", "title": "Evening news", "days": 7})
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        key = made.json()["key"]
        listed = (await client.get(KEYS)).json()
        assert [(entry["name"], entry["title"]) for entry in listed] == [("studio", "Evening news")]
        assert key not in str(listed)
        assert (await client.post(KEYS, json={"name": "studio"})).status_code == 409
        seed = gateway.keys.entries[0].seed
        rotated = (await client.post(f"{KEYS}/studio/rotate")).json()["key"]
        assert rotated != key
        assert gateway.keys.entries[0].seed == seed
        assert (await client.delete(f"{KEYS}/studio")).status_code == 204
        assert (await client.get(KEYS)).json() == []
        for method, path in (("DELETE", f"{KEYS}/studio"), ("POST", f"{KEYS}/studio/rotate")):
            assert (await client.request(method, path)).status_code == 404
        for bad in ({"name": ""}, {"name": "a/b"}, {"name": "x", "days": -1}, {"name": "x", "days": 1e9}, {}):
            assert (await client.post(KEYS, json=bad)).status_code == 422

    with_gateway(settings(tmp_path), work)


@pytest.mark.parametrize("end", ["rotate", "remove", "delete broadcast"])
def test_a_push_ends_when_its_key_is_taken_back_or_its_broadcast_is_ended(tmp_path: Path, end: str) -> None:
    need_ffmpeg()

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        key = (await client.post(KEYS, json={"name": "studio"})).json()["key"]
        picture = (
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=160x90:rate=25",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        )
        url = f"{client.base_url}/ingest/{key}"
        pusher = await asyncio.create_subprocess_exec(
            need_ffmpeg(), "-v", "quiet", "-nostdin", *picture, "-g", "25", "-f", "mpegts", url
        )

        async def on_air() -> bool:
            pushes = (await client.get(BROADCASTS)).json()
            return bool(pushes and pushes[0]["state"] == "on-air" and pushes[0]["pieces"] > 3)

        await until(on_air)
        (push,) = (await client.get(BROADCASTS)).json()
        assert (push["kind"], push["source"]) == ("push", "studio")
        assert push["bytes_in"] > 0
        assert push["in_bps"] > 0
        if end == "rotate":
            await client.post(f"{KEYS}/studio/rotate")
        elif end == "remove":
            await client.delete(f"{KEYS}/studio")
        else:
            assert (await client.delete(f"{BROADCASTS}/{push['id']}")).status_code == 204
        await pusher.wait()
        stream = f"/api/v1/streams/{push['id']}"

        async def ended() -> bool:
            return bool((await client.get(stream)).json()["state"] == "ended")

        await until(ended)
        assert (await client.get(BROADCASTS)).json() == []

    with_gateway(settings(tmp_path), work)


@pytest.mark.parametrize(
    ("source", "private"),
    [
        ("film.mp4", False),
        ("test", False),
        ("http://10.0.0.1/x", True),
        ("http://169.254.169.254/latest", True),
        ("http://[fe80::1%25eth0]/x", True),
        ("http://[::ffff:10.0.0.1]/x", True),
        ("http://0.0.0.0/x", True),
        ("http://localhost/x", True),
        ("http://9.9.9.9/x", False),
        ("http://[2620:fe::9]/x", False),
        ("http://[/x", True),
        ("srt://:9000", False),
    ],
)
def test_which_urls_lead_to_private_addresses(source: str, private: bool) -> None:
    assert leads_to_private(source) is private
