"""``POST`` or ``PUT`` to ``/ingest/{key}``: an endless body, or below it the objects of HLS, DASH and CMAF.

The key may stand in an Authorization header instead: then ``/ingest`` takes the endless body, ``/ingest/{path}`` the
objects.
"""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import FfmpegMissing, IngestError, KeyMissing, PushRefused
from gateway.ingest.uploads import Uploads
from gateway.media.errors import MediaError
from gateway.problems import Problem
from gateway.routes.credentials import read_credentials

# What is refused has not been read to its end, so that nothing more can come over this connection.
HANG_UP = {"connection": "close"}
CHALLENGE = {"www-authenticate": 'Basic realm="Seedcast ingest", Bearer realm="Seedcast ingest"'}


class PushEnded(BaseModel):
    """What came, once the sender has ended the push."""

    seconds: float
    bytes: int


def ingest_router(desk: IngestDesk, uploads: Uploads) -> APIRouter:
    """The ingest's routes."""
    router = APIRouter(tags=["ingest"])

    async def take(request: Request, path: str) -> Response:
        try:
            shown = read_credentials(request, path, desk.check)
            if shown.path:
                await uploads.receive(shown.key, shown.path, request.stream(), sender=shown.sender)
                return Response(status_code=201)
            report = await desk.receive(shown.key, _chunks(request))
        except (IngestError, MediaError) as error:
            raise push_problem(error) from error
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return JSONResponse(PushEnded(seconds=round(report.seconds, 1), bytes=report.size_bytes).model_dump())

    @router.post("/ingest", summary="Broadcast, with the key in the header", response_model=PushEnded)
    @router.post("/ingest/", include_in_schema=False)
    @router.put("/ingest/", include_in_schema=False)
    @router.put("/ingest", include_in_schema=False)
    async def push_by_header(request: Request) -> Response:
        """As with the key in the path: ``Authorization: Bearer KEY``, or basic authentication with it as password."""
        return await take(request, "")

    @router.post("/ingest/{key}", summary="Broadcast an MPEG transport stream", response_model=PushEnded)
    @router.put("/ingest/{key}", include_in_schema=False)
    async def push(key: str, request: Request) -> Response:
        """Send H.264 and AAC as MPEG-TS, for as long as the broadcast lasts. The answer comes at its end."""
        return await take(request, key)

    @router.put("/ingest/{key}/{path:path}", status_code=201, summary="Broadcast by segments of HLS, DASH or CMAF")
    @router.post("/ingest/{key}/{path:path}", status_code=201, include_in_schema=False)
    async def put_object(key: str, path: str, request: Request) -> Response:
        """Send playlists and segments under any names, or tracks of CMAF without end (DASH-IF Live Media Ingest)."""
        return await take(request, f"{key}/{path}")

    @router.delete("/ingest/{path:path}", status_code=204, include_in_schema=False)
    async def delete_object(path: str, request: Request) -> Response:
        """Nothing is kept here under these names, so that a sender may delete what it sent."""
        try:
            read_credentials(request, path, desk.check)
        except IngestError as error:
            raise push_problem(error) from error
        return Response(status_code=204)

    return router


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; a sender that goes away has ended it."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        return


def push_problem(error: IngestError | MediaError) -> Problem:
    """What the sender of a push is told."""
    match error:
        case PushRefused():
            status, slug, title = error.status, error.slug, error.title
        case MediaError():
            status, slug, title = 422, "push-unusable", "This video cannot go on air"
        case FfmpegMissing():
            status, slug, title = 503, "ffmpeg-missing", "This gateway has no ffmpeg"
        case _:
            status, slug, title = 500, "ingest-failed", "The gateway cannot take this push"
    headers = HANG_UP | CHALLENGE if isinstance(error, KeyMissing) else HANG_UP
    return Problem(status=status, title=title, detail=str(error), slug=slug, headers=headers)
