"""Broadcasts and keys by the API, in a whole gateway with real ffmpeg: begun, told of, changed, ended, refused."""

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from gateway.app import Gateway, web_app
from gateway.commands.broadcasts import show_broadcasts, stop_broadcast
from gateway.errors import CannotStart
from gateway.ingest import broadcast
from gateway.ingest.private_hosts import leads_to_private
from gateway.terminal import new_console
from tests.conftest import need_ffmpeg
from tests.gateway.ingest.servers import ok, serving
from tests.gateway.media_fixture import stream
from tests.gateway.test_app import settings, with_gateway

pytestmark = [pytest.mark.e2e, pytest.mark.alongside]

BROADCASTS = "/api/v1/broadcasts"
KEYS = "/api/v1/keys"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25")


async def until(asked: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again; the test's own time-out ends it."""
    while not await asked():  # noqa: ASYNC110 - the API has no event to wait for
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("allowed", "coding"), [(False, "copy"), (True, "libx264")])
def test_rare_key_frames_are_warned_of_or_the_picture_is_encoded(tmp_path: Path, allowed: bool, coding: str) -> None:
    film = tmp_path / "film.mp4"
    command = [need_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=6", "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "250", str(film)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)

    async def work(_: Gateway, client: httpx.AsyncClient) -> None:
        begun = await client.post(BROADCASTS, json={"source": str(film), "encode_long_gop": allowed})
        url = begun.headers["location"]
        report = begun.json()
        assert (report["coding"], report["warnings"]) == ("", [])

        async def seen() -> bool:
            report.update((await client.get(url)).json())
            return bool(report["warnings"]) if not allowed else report["segment_s"] == 1.0

        await until(seen)
        assert report["coding"] == coding
        assert any("No key frame for" in warning for warning in report["warnings"]) is not allowed
        await client.delete(url)

    with_gateway(settings(tmp_path), work)


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
        assert (report["video_codec"][:5], report["audio_codec"], report["copied"]) == ("avc1.", "mp4a.40.2", False)
        assert (report["width"], report["height"]) == (640, 360)
        assert report["bytes_out"] > 0
        assert (report["bytes_in"], report["encoder_delay_s"], report["warnings"]) == (None, None, [])
        playlist = await client.get(f"/live/{report['id']}/index.m3u8")
        assert playlist.status_code == 200
        assert [other["id"] for other in (await client.get(BROADCASTS)).json()] == [report["id"]]
        again = await client.post(BROADCASTS, json={"source": "test", "title": "Picture"})
        assert (again.status_code, again.json()["type"]) == (422, "urn:seedcast:problem:broadcast-refused")
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).json()["state"] == "stopped"
        assert not station.broadcast.is_running

    with_gateway(settings(tmp_path), work)


def test_a_films_figures_are_told_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_ffmpeg()
    console = new_console()
    whole = stream()
    (tmp_path / "film.mp4").write_bytes(whole.init.data + b"".join(bytes(part.data) for part in whole.parts))

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        here = settings(tmp_path, port=client.base_url.port)
        await show_broadcasts(here, as_json=False, console=console)
        assert "Nothing is on air" in capsys.readouterr().err
        film = {"source": str(tmp_path / "film.mp4"), "title": "A [film]", "loop": True}
        url = (await client.post(BROADCASTS, json=film)).headers["location"]

        async def measured() -> bool:
            return bool((await client.get(url)).json()["speed"])

        await until(measured)
        report = (await client.get(url)).json()
        assert report["bytes_in"] > 0
        assert (report["copied"], report["gop_s"]) == (True, report["gop_s_max"])
        assert (report["restarts"], report["frames_dropped"]) == (0, 0)
        await show_broadcasts(here, as_json=True, console=console)
        assert [other["id"] for other in json.loads(capsys.readouterr().out)] == [report["id"]]
        await show_broadcasts(here, as_json=False, console=console)
        shown = capsys.readouterr().err
        assert "A [film]" in shown
        assert "avc1" in shown
        with pytest.raises(CannotStart, match="There is no broadcast whose id begins with zzz0"):
            await stop_broadcast(here, "zzz0", console=console)
        await stop_broadcast(here, report["id"][:8], console=console)
        assert (await client.get(url)).json()["state"] == "stopped"

    with_gateway(settings(tmp_path), work)


@pytest.mark.parametrize(
    ("new", "slug"),
    [
        ({"source": "/nowhere/film.mp4"}, "broadcast-refused"),
        ({"source": "test", "title": "x" * 121}, None),
        ({"source": ""}, None),
        ({"source": "test", "password": "short"}, None),
        ({"source": "test", "password": "correct horse", "private": True}, "broadcast-refused"),
        ({"source": "test", "ladder": ["720"]}, "bad-ladder"),
        ({"source": "test", "latency": "soon"}, None),
        ({"source": "http://127.0.0.1:9/film.ts"}, "private-address"),
        ({"source": "http://[::1]:9/film.ts"}, "private-address"),
        ({"source": "rtsp://192.168.1.7/cam"}, "private-address"),
        ({"source": "udp://239.1.2.3:5000"}, "private-address"),
        ({"source": ["https://9.9.9.9/a.mp4", "http://10.0.0.1/b.mp4"]}, "private-address"),
        ({"source": []}, None),
        ({"source": ["test", "test"]}, "broadcast-refused"),
        ({"source": "gopher://9.9.9.9/film"}, "broadcast-refused"),
    ],
)
def test_what_cannot_go_on_air_is_refused_with_the_reason(
    tmp_path: Path, new: dict[str, object], slug: str | None
) -> None:
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


def test_a_folder_goes_on_air_film_by_film(tmp_path: Path) -> None:
    tool = need_ffmpeg()
    films = tmp_path / "films"
    films.mkdir()
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "1", *X264)
    for name in ("1.mp4", "2.mp4"):
        subprocess.run([tool, "-v", "error", "-nostdin", *picture, str(films / name)], check=True)

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        begun = await client.post(BROADCASTS, json={"source": [str(films), str(films / "1.mp4")], "title": "Films"})
        url = begun.headers["location"]

        async def ended() -> bool:
            return bool((await client.get(url)).json()["state"] == "ended")

        await until(ended)
        report = (await client.get(url)).json()
        assert (report["pieces"], report["restarts"], report["trouble"]) == (15, 0, "")
        assert report["source"] == f"{films}, {films / '1.mp4'}"

    with_gateway(settings(tmp_path / "data"), work)


def test_an_input_that_is_away_waits_and_says_why_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = need_ffmpeg()
    monkeypatch.setattr(broadcast, "BACK_OFF_S", (0.2,))
    picture = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", "6", *X264)
    film = subprocess.run([tool, "-v", "error", *picture, "-f", "mpegts", "-"], capture_output=True, check=True).stdout

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(film))
        await asyncio.Event().wait()  # on air until the server stops

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        async with serving(answer) as server:
            source = server.url.replace("://", "://me:geheim@")
            begun = await client.post(BROADCASTS, json={"source": source, "allow_private": True})
            assert begun.json()["source"] == server.url.replace("://", "://***@")
            url = begun.headers["location"]
            states: list[str] = []
            said = begun.text

            async def seen(state: str) -> bool:
                nonlocal said
                answer = await client.get(url)
                said += answer.text
                states.append(answer.json()["state"])
                return states[-1] == state

            await until(lambda: seen("on-air"))
            await server.stop()
            await until(lambda: seen("waiting"))

            async def explained() -> bool:
                return "nobody answers" in (await client.get(url)).json()["trouble"]

            await until(explained)
            assert (await client.get(url)).json()["restarts"] > 0
            await server.start()
            await until(lambda: seen("on-air"))
            assert "failed" not in states
            assert "geheim" not in said

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
        assert made.headers["location"] == f"{KEYS}/studio"
        assert (await client.get(f"{KEYS}/studio")).json()["title"] == "Evening news"
        changed = await client.patch(f"{KEYS}/studio", json={"title": "Late news"})
        assert (changed.status_code, changed.json()["title"]) == (200, "Late news")
        assert gateway.keys.entries[0].key == key
        await client.patch(f"{KEYS}/studio", json={"title": "Evening news"})
        assert (await client.patch(f"{KEYS}/studio", json={"title": "x" * 300})).status_code == 422
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
        for method, path in (
            ("DELETE", f"{KEYS}/studio"),
            ("GET", f"{KEYS}/studio"),
            ("POST", f"{KEYS}/studio/rotate"),
        ):
            assert (await client.request(method, path)).status_code == 404
        for bad in ({"name": ""}, {"name": "a/b"}, {"name": "x", "days": -1}, {"name": "x", "days": 1e9}, {}):
            assert (await client.post(KEYS, json=bad)).status_code == 422

    with_gateway(settings(tmp_path), work)


def test_a_name_with_strange_letters_is_found_where_the_answer_says(tmp_path: Path) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        made = await client.post(KEYS, json={"name": "a b?#%"})
        assert (await client.get(made.headers["location"])).json()["name"] == "a b?#%"

    with_gateway(settings(tmp_path), work)


def test_there_may_not_be_keys_without_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.routes.keys.KEYS_MAX", 1)

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        assert (await client.post(KEYS, json={"name": "one"})).status_code == 201
        assert (await client.post(KEYS, json={"name": "two"})).status_code == 507

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
        ("udp://@239.1.1.1:1234", True),
        ("http://[64:ff9b::10.0.0.1]/x", True),
        ("http://[2002:0a00:1::1]/x", True),
        ("http://[64:ff9b::9.9.9.9]/x", False),
        ("http://2130706433/x", True),
        ("http://0x7f.1/x", True),
        ("rtsp://me:pass@10.0.0.1/x", True),
    ],
)
def test_which_urls_lead_to_private_addresses(source: str, private: bool) -> None:
    assert leads_to_private(source) is private
