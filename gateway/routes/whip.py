"""``POST /whip``: broadcasts by WebRTC (RFC 9725), with the ingest key as bearer token or in the path."""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response

from gateway.ingest.errors import IngestError, KeyMissing, NotOffer, OfferTooLong, UnknownKey
from gateway.ingest.whip import Session, Whip
from gateway.media.errors import MediaError
from gateway.problems import Problem
from gateway.routes.ingest import push_problem

OFFER_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
OFFER_BYTES_MAX = 1 << 16
BEARER = "bearer "
CHALLENGE = {"www-authenticate": "Bearer"}


def whip_router(whip: Whip) -> APIRouter:
    """The endpoint and its sessions."""
    router = APIRouter(tags=["ingest"])
    answers: dict[int | str, dict[str, object]] = {
        201: {"content": {OFFER_TYPE: {}}, "description": "The answer; Location is the session."}
    }

    @router.post("/whip", status_code=201, summary="Broadcast by WebRTC (WHIP)", responses=answers)
    async def offer_by_token(request: Request) -> Response:
        """An offer in SDP with a picture in H.264, and sound in Opus if there is any."""
        return await _open(whip, _token(request), request)

    @router.post("/whip/{key}", status_code=201, include_in_schema=False)
    async def offer_by_path(key: str, request: Request) -> Response:
        return await _open(whip, key, request)

    @router.options("/whip", include_in_schema=False)
    @router.options("/whip/{key}", include_in_schema=False)
    async def say_what_is_taken() -> Response:
        return Response(status_code=204, headers={"allow": "OPTIONS, POST", "accept-post": OFFER_TYPE})

    @router.delete("/whip/sessions/{number}", include_in_schema=False)
    async def end(number: str, request: Request) -> Response:
        """RFC 9725 section 4.2."""
        whip.end(_session(whip, number, request))
        return Response(status_code=200)

    @router.patch("/whip/sessions/{number}", include_in_schema=False)
    async def trickle(number: str, request: Request) -> Response:
        """More of the sender's candidates (section 4.3.2): not needed where the sender begins, and therefore taken as
        read. ICE is not restarted here."""
        session = _session(whip, number, request)
        if _media_type(request) != FRAGMENT_TYPE:
            raise Problem(status=415, title="This is no fragment", detail=f"Send {FRAGMENT_TYPE}.", slug="not-sdpfrag")
        if request.headers.get("if-match", session.etag) not in {session.etag, "*"}:
            raise Problem(status=412, title="This is about another ICE session", slug="other-ice-session")
        names = [line[12:].strip() for line in (await _body(request)).splitlines() if line.startswith("a=ice-ufrag:")]
        if any(name != session.peer_ice_name for name in names):
            raise Problem(
                status=422,
                title="ICE cannot be restarted",
                detail="End this session and send another offer.",
                slug="no-ice-restart",
            )
        return Response(status_code=204)

    return router


async def _open(whip: Whip, key: str, request: Request) -> Response:
    try:
        if not key:
            raise KeyMissing
        if _media_type(request) != OFFER_TYPE:
            raise NotOffer
        session, answer = whip.open(key, await _body(request), _asked_at(request))
    except (IngestError, MediaError) as error:
        problem = push_problem(error)
        problem.headers |= CHALLENGE if isinstance(error, KeyMissing) else {}
        raise problem from error
    headers = {
        "location": f"{request.scope.get('root_path', '')}/whip/sessions/{session.number}",
        "etag": session.etag,
        "accept-patch": FRAGMENT_TYPE,
        "cache-control": "no-store",
    }
    return Response(answer, status_code=201, media_type=OFFER_TYPE, headers=headers)


def _session(whip: Whip, number: str, request: Request) -> Session:
    """Its name is known to its sender alone; a token beside it must be right too. Raises Problem."""
    try:
        session = whip.find(number)
        if (token := _token(request)) and token != session.entry.key:
            raise UnknownKey
    except IngestError as error:
        raise push_problem(error) from error
    return session


async def _body(request: Request) -> str:
    """Raises Problem."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > OFFER_BYTES_MAX:
            raise push_problem(OfferTooLong())
    return body.decode("utf-8", "replace")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _token(request: Request) -> str:
    """The bearer token (RFC 6750 section 2.1), "" when there is none."""
    header = request.headers.get("authorization", "")
    return header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""


def _asked_at(request: Request) -> str:
    """The address of this machine at which the request came in."""
    host = (request.scope.get("server") or ("",))[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return "127.0.0.1"
