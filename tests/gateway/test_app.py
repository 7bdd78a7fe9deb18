"""The whole gateway on real sockets: it starts, answers, refuses, and stops without keeping anybody waiting."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from gateway.app import Gateway, create_app
from gateway.commands.serve import running_gateway
from gateway.errors import CannotStart
from gateway.ingest.keys import IngestKeys
from gateway.ingest.slicer import SlicedPiece
from gateway.media.payload import pack
from gateway.settings import Settings
from swarm.identity import Identity
from swarm.link import Link, format_link, stream_name
from swarm.units import Address, StreamId
from tests.gateway.media_fixture import PIECE_US, slices, stream

OWNER = Identity(b"owner".ljust(32, b"."))
STREAM = StreamId(OWNER.key)
NAME = stream_name(STREAM)

T = TypeVar("T")
Work = Callable[[Gateway, httpx.AsyncClient], Awaitable[T]]


def settings(folder: Path, **chosen: object) -> Settings:
    values = {"port": 0, "swarm_host": "127.0.0.1", "data_dir": folder, **chosen}
    return Settings.model_validate(values)


def client_of(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)


def with_gateway(chosen: Settings, work: Work[T]) -> T:
    """Run a gateway for as long as the work takes."""

    async def run() -> T:
        async with running_gateway(chosen, asyncio.Event()) as (gateway, url), client_of(url) as client:
            return await work(gateway, client)

    return asyncio.run(run())


def put_on_air(gateway: Gateway, pieces: int) -> None:
    on_air = gateway.studio.open(OWNER, "News", lambda: 500_000)
    on_air.description(7, stream().renditions)
    start_us = int(time.time() * 1e6) - pieces * PIECE_US
    for number, content in enumerate(slices(stream())[:pieces], 1):
        on_air.piece(
            SlicedPiece(
                number=number,
                epoch=7,
                key=content.index == 0,
                capture_us=start_us + number * PIECE_US,
                duration_us=PIECE_US,
                payloads=(pack(content),),
            )
        )


def test_health_page_api_and_description_answer(tmp_path: Path) -> None:
    async def work(_: Gateway, client: httpx.AsyncClient) -> list[tuple[int, str]]:
        paths = ("/healthz", "/", "/api/v1/streams", "/openapi.json")
        answers = [await client.get(path) for path in paths]
        assert answers[0].json()["status"] == "ok"
        return [(answer.status_code, answer.headers["content-type"].partition(";")[0]) for answer in answers]

    assert with_gateway(settings(tmp_path), work) == [
        (200, "application/json"),
        (200, "text/html"),
        (200, "application/json"),
        (200, "application/json"),
    ]


def test_a_foreign_name_a_foreign_page_and_an_unknown_path_get_problems(tmp_path: Path) -> None:
    async def work(_: Gateway, client: httpx.AsyncClient) -> list[tuple[int, str]]:
        answers = [
            await client.get("/healthz", headers={"host": "evil.example"}),
            await client.post("/api/v1/streams", json={"link": ""}, headers={"origin": "https://evil.example"}),
            await client.get("/nowhere"),
            await client.get(f"/live/{NAME}/index.m3u8"),
        ]
        return [(answer.status_code, answer.headers["content-type"]) for answer in answers]

    problem = "application/problem+json"
    assert with_gateway(settings(tmp_path), work) == [(421, problem), (403, problem), (404, problem), (404, problem)]


def test_a_broadcast_from_here_is_played_from_here(tmp_path: Path) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        put_on_air(gateway, 12)
        index = await client.get(f"/live/{NAME}/index.m3u8", headers={"origin": "https://elsewhere.example"})
        assert index.headers["access-control-allow-origin"] == "*"
        media = (await client.get(f"/live/{NAME}/muxed.m3u8")).text
        segment = await client.get(f"/live/{NAME}/muxed/100.m4s")
        assert media.count("#EXT-X-PART:") == 12
        assert segment.content == b"".join(bytes(b) for b in gateway.channels.get(NAME).window.segment(100, None))
        (listed,) = (await client.get("/api/v1/streams")).json()
        assert (listed["state"], listed["viewers"], listed["is_local"]) == ("live", 1, True)

    with_gateway(settings(tmp_path), work)


def test_dash_players_are_told_the_sources_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> float:
        put_on_air(gateway, 12)
        channel = gateway.channels.get(NAME)
        status = channel.status()
        assert status is not None
        monkeypatch.setattr(channel, "status", lambda: replace(status, clock_offset_s=86_400.0, delay_s=0.75))
        told = datetime.fromisoformat((await client.get(f"/live/{NAME}/time")).text)
        manifest = await client.get(f"/live/{NAME}/manifest.mpd", headers={"accept-encoding": "identity"})
        assert 'target="1700"' in manifest.text
        assert (await client.get("/live/unknown/time")).status_code == 404
        return told.timestamp() - time.time()

    assert abs(with_gateway(settings(tmp_path), work) - 86_400) < 60


def test_two_gateways_over_quic(tmp_path: Path) -> None:
    async def work(source: Gateway, _: httpx.AsyncClient) -> None:
        put_on_air(source, 12)
        link = source.channels.get(NAME).share_link
        chosen = settings(tmp_path / "viewer", links=(link,))
        async with running_gateway(chosen, asyncio.Event()) as (gateway, url), client_of(url) as client:
            assert not gateway.channels.get(NAME).joined
            assert (await client.get(f"/live/{NAME}/muxed.m3u8")).status_code == 200
            detail = (await client.get(f"/api/v1/streams/{NAME}")).json()
        assert detail["title"] == "News"
        assert detail["peers_detail"][0]["is_source"] is True

    with_gateway(settings(tmp_path / "source"), work)


def test_stopping_lets_waiting_players_go_at_once(tmp_path: Path) -> None:
    async def work(gateway: Gateway, client: httpx.AsyncClient) -> httpx.Response:
        put_on_air(gateway, 12)
        waiting = asyncio.create_task(client.get(f"/live/{NAME}/muxed.m3u8?_HLS_msn=102&_HLS_part=2"))
        await client.get("/healthz")
        assert not waiting.done()
        gateway.channels.close()
        return await waiting

    assert with_gateway(settings(tmp_path), work).status_code == 200


def test_an_unknown_ingest_key_is_refused_and_never_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(_: Gateway, client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/ingest/s3cret", content=b"x")

    with caplog.at_level("INFO"):
        answer = with_gateway(settings(tmp_path), work)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert not [record for record in caplog.records if record.name != "httpx" and "s3cret" in record.getMessage()]


def test_a_key_that_is_made_while_the_gateway_runs_is_good_at_once(tmp_path: Path) -> None:
    async def work(_: Gateway, client: httpx.AsyncClient) -> int:
        entry = IngestKeys(tmp_path / "ingest-keys.json").add("bob")
        return (await client.post(f"/ingest/{entry.key}", content=b"no transport stream" * 100)).status_code

    assert with_gateway(settings(tmp_path), work) == 415


def test_the_peers_key_lasts_and_is_given_free(tmp_path: Path) -> None:
    async def key(gateway: Gateway, _: httpx.AsyncClient) -> bytes:
        return gateway.identity.key

    first = with_gateway(settings(tmp_path), key)
    assert with_gateway(settings(tmp_path), key) == first


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"links": ("nonsense",)}, "cannot be read"),
        ({"swarm_host": "192.0.2.1"}, "swarm_host"),
        ({"host": "192.0.2.1"}, "--host"),
    ],
)
def test_what_keeps_a_gateway_from_starting_is_said(tmp_path: Path, chosen: dict[str, object], said: str) -> None:
    async def nothing(*_: object) -> None:
        raise AssertionError("the gateway must not start")

    with pytest.raises(CannotStart, match=said):
        with_gateway(settings(tmp_path, **chosen), nothing)


def test_an_application_is_made_from_settings_alone(tmp_path: Path) -> None:
    link = format_link(Link(STREAM, "News", (Address("127.0.0.1", 9),)))
    app = create_app(settings(tmp_path, links=(link,)))

    async def ask() -> int:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return int((await client.get("/healthz")).json()["streams"])

    assert asyncio.run(ask()) == 1
