"""``/whip`` by HTTP: what is answered to offers, and to what is none (RFC 9725 sections 4.1 to 4.3)."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import closing

import httpx
import pytest
from fastapi import FastAPI

from gateway.commands.ingest_ports import bind
from gateway.ingest.desk import IngestDesk
from gateway.ingest.keys import IngestKeys
from gateway.ingest.whip import SESSIONS_PER_KEY_MAX, Whip
from gateway.problems import install
from gateway.routes.whip import OFFER_BYTES_MAX, whip_router
from tests.gateway.ingest.streams import Listener
from tests.gateway.ingest.webrtc.offers import browser_offer, obs_offer

SDP = {"content-type": "application/sdp"}
FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


class Client(httpx.AsyncClient):
    """Talks to an endpoint with one key."""

    key = ""

    async def offer(self, text: str = "", key: str | None = None, **headers: str) -> httpx.Response:
        token = {"authorization": f"Bearer {self.key if key is None else key}"}
        return await self.post("/whip", content=text or obs_offer(), headers={**SDP, **token, **headers})


def at_endpoint(visit: Callable[[Client], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        keys = IngestKeys()
        whip = Whip(IngestDesk(keys, lambda _: Listener()))
        app = FastAPI()
        install(app)
        app.include_router(whip_router(whip))
        transport = httpx.ASGITransport(app)
        with closing(bind("127.0.0.1", 0)) as bound:
            async with whip.serving(bound), Client(transport=transport, base_url="http://127.0.0.1") as client:
                client.key = keys.add("studio").key
                await visit(client)

    asyncio.run(run())


def test_an_offer_is_answered_with_a_session() -> None:
    async def visit(client: Client) -> None:
        answer = await client.offer(browser_offer())
        assert answer.status_code == 201
        assert answer.headers["content-type"] == "application/sdp"
        assert answer.headers["location"].startswith("/whip/sessions/")
        assert answer.headers["etag"]
        assert answer.text.startswith("v=0\r\n")
        ended = await client.delete(answer.headers["location"])
        assert ended.status_code == 200
        await asyncio.sleep(0)

    at_endpoint(visit)


def test_the_key_may_stand_in_the_path() -> None:
    async def visit(client: Client) -> None:
        answer = await client.post(f"/whip/{client.key}", content=obs_offer(), headers=SDP)
        assert answer.status_code == 201

    at_endpoint(visit)


@pytest.mark.parametrize(
    ("headers", "text", "status", "slug"),
    [
        ({"authorization": ""}, obs_offer(), 401, "ingest-key-missing"),
        ({"authorization": "Basic eDp5"}, obs_offer(), 401, "ingest-key-missing"),
        ({"authorization": "Bearer nonsense"}, obs_offer(), 403, "unknown-ingest-key"),
        ({"content-type": "text/plain"}, obs_offer(), 415, "not-sdp"),
        ({}, "v=0\r\nm=nonsense", 422, "offer-unusable"),
        ({}, "\x00\xff", 422, "offer-unusable"),
        ({}, obs_offer("H265"), 422, "offer-unusable"),
        ({}, obs_offer() + "a=x\r\n" * OFFER_BYTES_MAX, 413, "offer-too-long"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_problem(
    headers: dict[str, str], text: str, status: int, slug: str
) -> None:
    async def visit(client: Client) -> None:
        answer = await client.offer(text, **headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"urn:seedcast:problem:{slug}"
        assert ("www-authenticate" in answer.headers) == (status == 401)

    at_endpoint(visit)


def test_a_key_with_too_many_sessions_is_in_use() -> None:
    async def visit(client: Client) -> None:
        for _ in range(SESSIONS_PER_KEY_MAX):
            assert (await client.offer()).status_code == 201
        assert (await client.offer()).status_code == 409

    at_endpoint(visit)


def test_candidates_that_come_late_are_taken_as_read_and_restarts_are_not() -> None:
    async def visit(client: Client) -> None:
        answer = await client.offer()
        session, etag = answer.headers["location"], answer.headers["etag"]

        async def patch(text: str, **headers: str) -> int:
            return (await client.patch(session, content=text, headers={**FRAGMENT, **headers})).status_code

        late = (
            "a=ice-ufrag:theirs\r\na=ice-pwd:x\r\nm=audio 9 RTP/AVP 0\r\na=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n"
        )
        assert await patch(late, **{"if-match": etag}) == 204
        assert await patch(late, **{"if-match": '"another"'}) == 412
        assert await patch("a=ice-ufrag:anew\r\n", **{"if-match": "*"}) == 422
        assert await patch(late, **{"content-type": "application/sdp"}) == 415

    at_endpoint(visit)


def test_a_session_is_its_senders_alone() -> None:
    async def visit(client: Client) -> None:
        session = (await client.offer()).headers["location"]
        assert (await client.delete("/whip/sessions/nonsense")).status_code == 404
        assert (await client.delete(session, headers={"authorization": "Bearer another"})).status_code == 403
        token = {"authorization": f"Bearer {client.key}"}
        assert (await client.delete(session, headers=token)).status_code == 200

    at_endpoint(visit)


def test_it_says_what_it_takes() -> None:
    async def visit(client: Client) -> None:
        answer = await client.options("/whip")
        assert (answer.status_code, answer.headers["accept-post"]) == (204, "application/sdp")
        assert (await client.get("/whip")).status_code == 405

    at_endpoint(visit)
