"""The gateway's own tracker over HTTP: /announce and /scrape, in bencoding, for peers and BitTorrent clients."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.problems import Problem
from gateway.tracker.desk import TrackerDesk
from swarm.prefixes import numeric

MEDIA_TYPE: Final = "text/plain"
"""What trackers say; clients do not look at it."""

HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def tracker_router(desk: TrackerDesk) -> APIRouter:
    """The two routes, which are BitTorrent's and not part of the described API. Their query is no text that a framework
    could read, so they take it as it came."""
    router = APIRouter(include_in_schema=False)

    async def announce(request: Request) -> Response:
        return _answer(desk.announce, request)

    async def scrape(request: Request) -> Response:
        return _answer(desk.scrape, request)

    router.add_api_route("/announce", announce, methods=["GET"])
    router.add_api_route("/scrape", scrape, methods=["GET"])
    return router


def _answer(ask: Callable[[bytes, str], bytes], request: Request) -> Response:
    host = numeric(request.client.host.removeprefix("::ffff:")) if request.client is not None else None
    if host is None:
        raise Problem(status=400, title="Nobody knows where this request comes from", detail="Ask over TCP.")
    return Response(ask(request.scope["query_string"], host), media_type=MEDIA_TYPE, headers=HEADERS)
