"""The control API, over channels whose swarm is in memory."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest
from fastapi import FastAPI

from gateway import problems
from gateway.audience import Audience
from gateway.channels import Channels
from gateway.on_air import Studio
from gateway.qr import svg_code
from gateway.routes.api import api_router
from gateway.uplink_keeper import UplinkReport
from swarm.discovery.finder import Progress
from swarm.drivers.memory import MemoryNet
from swarm.identity import Identity
from swarm.link import Link, format_link, format_magnet, parse_link, short_name, stream_name
from swarm.units import Address, StreamId
from tests.gateway.media_fixture import stream
from tests.gateway.memory_swarm import MemorySwarm

OWNER = Identity(b"owner".ljust(32, b"."))
STREAM = StreamId(OWNER.key)
NAME = stream_name(STREAM)
LINK = format_link(Link(STREAM, "A film", (Address("10.0.0.1", 4000),)))


class Api:
    """An application with nothing but the API, and the channels behind it."""

    def __init__(self) -> None:
        self.net = MemoryNet("api")
        self.swarm = MemorySwarm(self.net, "gateway")
        self.channels = Channels(self.swarm, window_s=24, idle_leave_s=30, clock=lambda: self.net.now)
        self.audience = Audience(lambda: self.net.now)
        self.uplink: UplinkReport | None = None
        self.finding: list[Progress] = []
        self.app = FastAPI()
        problems.install(self.app)
        self.app.include_router(api_router(self.channels, self.audience, lambda: self.uplink, lambda _: self.finding))

    def ask(self, method: str, path: str, json: Mapping[str, object] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, json=json)

        return asyncio.run(ask())


def test_a_link_that_is_added_is_listed_with_all_that_a_page_needs() -> None:
    api = Api()
    added = api.ask("POST", "/api/v1/streams", {"link": f"  {LINK}\n"})
    assert added.status_code == 201
    assert added.headers["location"] == f"/api/v1/streams/{NAME}"
    assert api.ask("GET", "/api/v1/streams").json() == [added.json()]
    assert added.json() == {
        "id": NAME,
        "key": short_name(STREAM),
        "title": "A film",
        "link": LINK,
        "magnet": format_magnet(parse_link(LINK)),
        "qr_url": f"/api/v1/streams/{NAME}/qr.svg",
        "hls_url": f"/live/{NAME}/index.m3u8",
        "plain_url": f"/live/{NAME}/plain.m3u8",
        "timeshift_url": None,
        "renditions": [],
        "playing": None,
        "state": "idle",
        "admission": None,
        "viewers": 0,
        "peers": 0,
        "bytes_in": 0,
        "bytes_out": 0,
        "delay_s": None,
        "is_local": False,
    }


def test_a_link_in_the_middle_of_a_mail_is_taken() -> None:
    text = f"Hello,\n\nwatch <{format_magnet(parse_link(LINK))}>, it is great!"
    assert Api().ask("POST", "/api/v1/streams", {"link": text}).json()["link"] == LINK


def test_the_qr_code_is_a_picture_of_the_link() -> None:
    api = Api()
    api.ask("POST", "/api/v1/streams", {"link": LINK})
    answer = api.ask("GET", f"/api/v1/streams/{NAME}/qr.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.content == svg_code(parse_link(LINK))
    assert api.ask("GET", f"/api/v1/streams/{'a' * 52}/qr.svg").status_code == 404


def test_the_newest_stream_comes_first() -> None:
    api = Api()
    for number in (1, 2, 3):
        link = format_link(Link(StreamId(bytes([number]) * 32), f"number {number}"))
        api.ask("POST", "/api/v1/streams", {"link": link})
    titles = [item["title"] for item in api.ask("GET", "/api/v1/streams").json()]
    assert titles == ["number 3", "number 2", "number 1"]


@pytest.mark.parametrize("link", ["", "http://example.org", "seedcast:short", LINK[:40], "seedcast:" + "1" * 52])
def test_a_link_that_cannot_be_read_is_a_problem_that_says_why(link: str) -> None:
    answer = Api().ask("POST", "/api/v1/streams", {"link": link})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "This link cannot be read"
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"link": 5}, {"link": "x" * 70_000}])
def test_a_body_that_is_no_link_is_a_problem(body: Mapping[str, object]) -> None:
    answer = Api().ask("POST", "/api/v1/streams", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_stream_is_not_found(method: str) -> None:
    answer = Api().ask(method, f"/api/v1/streams/{NAME}")
    assert answer.status_code == 404
    assert "Add its link" in answer.json()["detail"]


def test_a_stream_can_be_removed() -> None:
    api = Api()
    api.ask("POST", "/api/v1/streams", {"link": LINK})
    assert api.ask("DELETE", f"/api/v1/streams/{NAME}").status_code == 204
    assert api.ask("GET", "/api/v1/streams").json() == []


def test_players_are_counted() -> None:
    api = Api()
    api.ask("POST", "/api/v1/streams", {"link": LINK})
    api.audience.note((NAME, "10.0.0.7", "mpv"))
    assert api.ask("GET", f"/api/v1/streams/{NAME}").json()["viewers"] == 1


def test_a_streams_detail_names_its_peers_and_what_they_gave() -> None:
    api = Api()
    viewer = MemorySwarm(api.net, "viewer")
    on_air = Studio(api.swarm, api.channels).open(OWNER, "Own", lambda: 500_000)
    on_air.description(7, stream().renditions)
    viewer.join(Link(STREAM, "", api.swarm.addresses), 0, lambda _: None)
    api.net.run_until(2)
    payload = bytes(12_000)
    for number in range(1, 11):
        api.swarm.publish(STREAM, 0, payload, number=number, key=True, capture_us=0, duration_us=200_000)
        api.net.run_until(api.net.now + 0.2)
    api.finding = [Progress(finder="dht", said="answers", peers=3, refused={"private": 1})]
    detail = api.ask("GET", f"/api/v1/streams/{NAME}").json()
    (peer,) = detail["peers_detail"]
    assert peer["key"] == stream_name(StreamId(viewer.host.identity.key))
    assert peer["address"] == str(viewer.host.address)
    assert peer["bytes_out"] > 10 * len(payload)
    assert len(peer["stripes_to"]) >= 2
    assert detail["equivocations"] == 0
    assert detail["finders"] == [{"finder": "dht", "said": "answers", "peers": 3, "refused": {"private": 1}}]
    assert (detail["peers"], detail["is_local"], detail["title"]) == (1, True, "Own")
    assert detail["bytes_out"] >= peer["bytes_out"]
    assert parse_link(detail["link"]).peers == api.swarm.addresses


def test_the_description_names_every_route() -> None:
    paths = Api().ask("GET", "/openapi.json").json()["paths"]
    assert {path: set(methods) for path, methods in paths.items()} == {
        "/api/v1/streams": {"get", "post"},
        "/api/v1/streams/{id}": {"get", "delete"},
        "/api/v1/streams/{id}/qr.svg": {"get"},
        "/api/v1/streams/{id}/unlock": {"post"},
        "/api/v1/uplink": {"get"},
    }


def test_the_uplink_is_shown_once_there_is_one() -> None:
    api = Api()
    assert api.ask("GET", "/api/v1/uplink").status_code == 503
    api.uplink = UplinkReport(
        line_bps=3e6, proven=True, cap_bps=2e6, paused=False, budget_bytes=10**11, sent_this_month_bytes=7
    )
    shown = api.ask("GET", "/api/v1/uplink").json()
    assert (shown["line_bps"], shown["cap_bps"], shown["sent_this_month_bytes"]) == (3e6, 2e6, 7)
