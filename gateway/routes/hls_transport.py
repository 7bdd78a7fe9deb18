"""HLS of MPEG-TS segments under /live/{stream}/, for televisions and set-top boxes that know no other."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter, Request, Response

from gateway.live import LiveWindow
from gateway.live.transport import TransportStreams
from gateway.media.hls_transport import FOLDER, render_transport
from gateway.routes import answers
from gateway.routes.answers import Watch, add_route, answer_media, answer_text, not_yet
from gateway.routes.continuous import TRANSPORT_TYPE, check_transport
from gateway.routes.hls import PLAYLIST_TYPE

SEGMENTS_MIN = 3
"""Players begin three segments from the end: a stream that has just begun is waited for."""


def hls_transport_router(watch: Watch, transports: TransportStreams) -> APIRouter:
    """Routes under /live/{stream}; ``watch`` gives a stream's window, and raises Problem when it cannot."""
    router = APIRouter(prefix="/live/{stream:view}", tags=["hls"])

    async def show_playlist(request: Request, stream: str) -> Response:
        window = await answers.open_window(watch, stream)
        with suppress(TimeoutError):
            async with asyncio.timeout(answers.OPEN_TIMEOUT_S):
                await _wait_segments(window, transports)
        transport = transports.of(window)
        if not transport.lines():
            raise not_yet("The stream has no whole segment yet")
        target_s = transport.target_duration_s(window)
        body = render_transport(transport.lines(), target_duration_s=target_s, ended=window.is_ended)
        return answer_text(request, body.encode(), PLAYLIST_TYPE, window.compressed)

    async def show_segment(request: Request, stream: str, number: int) -> Response:
        window = await watch(stream)
        check_transport(transports, window)
        return answer_media(request, TRANSPORT_TYPE, transports.of(window).segment(number))

    add_route(router, "/ts.m3u8", show_playlist, "HLS of MPEG-TS segments, for old televisions")
    add_route(router, f"/{FOLDER}/{{number:number}}.ts", show_segment, "A segment of MPEG-TS")
    return router


async def _wait_segments(window: LiveWindow, transports: TransportStreams) -> None:
    """Wait until there are enough segments, or nothing more comes. Raises Problem (406)."""
    while True:
        check_transport(transports, window)
        if len(transports.of(window).lines()) >= SEGMENTS_MIN:
            return
        newest = window.kept()[-1].msn
        if not await window.wait_for(newest, None, answers.OPEN_TIMEOUT_S):
            return
