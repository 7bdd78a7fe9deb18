"""DASH for players: the MPD of each stream under /live/{stream}/, its segments as they grow, and the source's time.

A segment may be asked for a moment before it begins: the request is held until its first part is here. While a segment
grows, each part is sent as it arrives (chunked transfer, RFC 9112 section 7.1); a whole one has a length and ranges.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from gateway.live import LiveWindow
from gateway.live.growing import grow
from gateway.live.segments import Segment
from gateway.media.dash import moment, plan_latency
from gateway.routes import answers
from gateway.routes.answers import (
    Watch,
    add_route,
    answer,
    answer_media,
    answer_text,
    not_here,
    not_yet,
    open_window,
    type_of,
)

MANIFEST_TYPE = "application/dash+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTime:
    """The source's wall clock as far as it is known here, and how late its media comes; None when unknown."""

    now_us: int
    delay_s: float | None


TellTime = Callable[[str], SourceTime]


def dash_router(watch: Watch, tell_time: TellTime) -> APIRouter:
    """Routes under /live/{stream}. ``watch`` gives a stream's window, ``tell_time`` its source's time; both raise
    Problem when they cannot. To be included before `hls_router`, whose paths are wider."""
    router = APIRouter(prefix="/live/{stream:view}", tags=["dash"])

    async def show_manifest(request: Request, stream: str) -> Response:
        window = await open_window(watch, stream)
        latency_s = plan_latency(tell_time(stream).delay_s, window.rhythm.part_target_s, window.hold_back_s)
        if not window.manifest(latency_s):
            await window.wait_whole(answers.OPEN_TIMEOUT_S)
        manifest = window.manifest(latency_s)
        if not manifest:
            raise not_yet("The stream has no whole segment yet")
        return answer_text(request, manifest, MANIFEST_TYPE, window.compressed)

    async def show_time(request: Request, stream: str) -> Response:
        now = moment(tell_time(stream).now_us).encode()
        return answer(request, now, {"cache-control": "no-store"}, "text/plain")

    async def show_numbered(request: Request, stream: str, discontinuity: int, track: int, msn: int) -> Response:
        window = await watch(stream)
        if window.is_coming(msn):
            await window.wait_for(msn, 0, window.rhythm.reload_timeout_s)
        return _segment(request, window, window.find(msn), discontinuity, track)

    async def show_timed(request: Request, stream: str, discontinuity: int, track: int, time: int) -> Response:
        window = await watch(stream)
        return _segment(request, window, window.find_at(discontinuity, track, time), discontinuity, track)

    folder = "/chunked-{discontinuity:number}-{track:number}"
    add_route(router, "/manifest.mpd", show_manifest, "DASH with low latency: what to give to a player")
    add_route(router, "/time", show_time, "The source's time, to which DASH players set their clocks")
    add_route(router, folder + "/{msn:number}.m4s", show_numbered, "A segment by its number, sent as it grows")
    add_route(router, folder + "/t{time:number}.m4s", show_timed, "A segment by its media time, sent as it grows")
    return router


def _segment(request: Request, window: LiveWindow, segment: Segment | None, discontinuity: int, track: int) -> Response:
    """A segment of that discontinuity, which a player on an old MPD may take for another. Raises Problem (404)."""
    if segment is None or segment.discontinuity != discontinuity or segment.init.track(track) is None:
        raise not_here()
    if segment.complete:
        return answer_media(request, type_of(window, track), segment.buffers(track))
    # Proxies are asked not to collect it first; what may break off is not kept.
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    body = _nothing() if request.method == "HEAD" else grow(window, segment.msn, track)
    return StreamingResponse(body, headers=headers, media_type=type_of(window, track))


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
