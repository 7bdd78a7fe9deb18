"""A stream as one endless answer under /live/{stream}/: MPEG-TS, and fragmented MP4.

Begins with the newest key frame that is here, or with the next one when that is near, and goes on part by part as they
arrive. A player that does not read is not sent anything: what waits for it is one part and the connection's own buffer.
While it reads, its stream counts as watched.
"""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from gateway.live import LiveWindow
from gateway.live.feed import follow
from gateway.live.transport import TransportStreams
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment
from gateway.media.splicing import can_go_on
from gateway.problems import Problem
from gateway.routes.answers import Watch, add_route, open_window

TRANSPORT_TYPE = "video/mp2t"
MP4_TYPE = "video/mp4"
HEADERS = {"cache-control": "no-store", "accept-ranges": "none"}


def continuous_router(watch: Watch, transports: TransportStreams) -> APIRouter:
    """Routes under /live/{stream}; ``watch`` gives a stream's window, and raises Problem when it cannot."""
    router = APIRouter(prefix="/live/{stream:view}", tags=["continuous"])

    async def show_transport(request: Request, stream: str) -> Response:
        window = await open_window(watch, stream)
        check_transport(transports, window)
        return _endless(request, _while_watched(watch, stream, window, _transport(window, transports)), TRANSPORT_TYPE)

    async def show_mp4(request: Request, stream: str) -> Response:
        window = await open_window(watch, stream)
        return _endless(request, _while_watched(watch, stream, window, _mp4(window)), MP4_TYPE)

    add_route(router, "/stream.ts", show_transport, "Endless MPEG-TS, from a key frame on")
    add_route(router, "/stream.mp4", show_mp4, "Endless fragmented MP4, from a key frame on")
    return router


def check_transport(transports: TransportStreams, window: LiveWindow) -> None:
    """Raises Problem (406) when MPEG-TS cannot carry the stream's picture."""
    try:
        transports.of(window)
    except MediaError as error:
        raise Problem(
            status=406, title="This stream cannot be had as MPEG-TS", detail=str(error), slug="no-transport"
        ) from error


def _endless(request: Request, body: AsyncIterator[bytes], media_type: str) -> Response:
    if request.method != "HEAD":
        return StreamingResponse(body, headers=HEADERS, media_type=media_type)
    bodiless = Response(headers=HEADERS, media_type=media_type)
    # What has no end has no length to be told.
    del bodiless.headers["content-length"]
    return bodiless


async def _while_watched(
    watch: Watch, stream: str, window: LiveWindow, parts: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """The parts, each counted as a request of its player; ends when the stream has been left or forgotten."""
    async for data in parts:
        yield data
        try:
            if await watch(stream) is not window:
                return
        except Problem:
            return


async def _transport(window: LiveWindow, transports: TransportStreams) -> AsyncIterator[bytes]:
    async for segment, index in follow(window):
        try:
            data = transports.of(window).part(segment.msn, index)
        except MediaError:
            # A new epoch's picture is in another codec: nothing of it can be sent.
            return
        if data:
            yield data


async def _mp4(window: LiveWindow) -> AsyncIterator[bytes]:
    """Init segment and parts; ends where time does not go on, or where parts come that the init segment does not fit.

    Another rung's parts fit from its first key frame on.
    """
    sent: InitSegment | None = None
    current: InitSegment | None = None
    end = 0
    async for segment, index in follow(window):
        slot, lead = segment.slots[index], segment.init.lead
        parts = slot.tracks[lead.track]
        if sent is None or current is None:
            sent = current = segment.init
            yield sent.data
        elif parts[0].decode_time < end:
            return
        elif current.data != segment.init.data:
            if not parts[0].key:
                continue
            if not can_go_on(sent, segment.init, parts[0]):
                return
            current = segment.init
        end = parts[-1].decode_time + parts[-1].duration
        yield b"".join(slot.with_all_tracks)
