"""``POST`` or ``PUT`` to ``/ingest/{key}``: an endless body, or below it the objects of HLS, DASH and CMAF."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import FfmpegMissing, IngestError, PushRefused
from gateway.ingest.upload import Uploads
from gateway.media.errors import MediaError
from gateway.problems import Problem

# What is refused has not been read to its end, so that nothing more can come over this connection.
HANG_UP = {"connection": "close"}


class PushEnded(BaseModel):
    """What came, once the sender has ended the push."""

    seconds: float
    bytes: int


def ingest_router(desk: IngestDesk, uploads: Uploads) -> APIRouter:
    """The ingest's routes."""
    router = APIRouter(tags=["ingest"])

    @router.post("/ingest/{key}", summary="Broadcast an MPEG transport stream")
    @router.put("/ingest/{key}", include_in_schema=False)
    async def push(key: str, request: Request) -> PushEnded:
        """Send H.264 and AAC as MPEG-TS, for as long as the broadcast lasts. The answer comes at its end."""
        try:
            report = await desk.receive(key, _chunks(request))
        except (IngestError, MediaError) as error:
            raise _problem(error) from error
        return PushEnded(seconds=round(report.seconds, 1), bytes=report.size_bytes)

    @router.put("/ingest/{key}/{path:path}", status_code=201, summary="Broadcast by segments of HLS, DASH or CMAF")
    @router.post("/ingest/{key}/{path:path}", status_code=201, include_in_schema=False)
    async def put_object(key: str, path: str, request: Request) -> Response:
        """Send playlists and segments under any names, or tracks of CMAF without end (DASH-IF Live Media Ingest)."""
        try:
            await uploads.receive(key, path, request.stream())
        except (IngestError, MediaError) as error:
            raise _problem(error) from error
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return Response(status_code=201)

    @router.delete("/ingest/{key}/{path:path}", status_code=204, include_in_schema=False)
    async def delete_object(key: str, path: str) -> Response:
        """Nothing is kept here under these names, so that a sender may delete what it sent."""
        try:
            desk.check(key)
        except IngestError as error:
            raise _problem(error) from error
        return Response(status_code=204)

    return router


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; a sender that goes away has ended it."""
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        return


def _problem(error: IngestError | MediaError) -> Problem:
    match error:
        case PushRefused():
            status, slug, title = error.status, error.slug, error.title
        case MediaError():
            status, slug, title = 422, "push-unusable", "This video cannot go on air"
        case FfmpegMissing():
            status, slug, title = 503, "ffmpeg-missing", "This gateway has no ffmpeg"
        case _:
            status, slug, title = 500, "ingest-failed", "The gateway cannot take this push"
    return Problem(status=status, title=title, detail=str(error), slug=slug, headers=HANG_UP)
