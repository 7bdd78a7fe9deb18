"""Time-shift for players under /live/{stream}/timeshift/: one long HLS playlist, and what it names.

It holds what is on the shelf and the whole segments of the live window. It stays when the broadcast is over or nobody
can be reached any more: then it is a film, from its beginning.
"""

import gzip
import time
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams

from gateway.media.hls import SegmentLine
from gateway.problems import Problem
from gateway.routes.answers import (
    DIGITS_MAX,
    MEDIA_TYPES,
    OPEN_TIMEOUT_S,
    add_route,
    answer_media,
    answer_text,
    not_yet,
)
from gateway.routes.hls import PLAYLIST_TYPE, read_folder
from gateway.timeshift.past import FROM, Past

PAST_TIMEOUT_S = 2.0
"""Who goes back waits so long for what neighbours have kept."""

Tune = Callable[[str], Awaitable[Past]]


def timeshift_router(tune: Tune) -> APIRouter:
    """``tune`` counts a player's request for a stream and gives what there is; it raises Problem when it cannot."""
    router = APIRouter(prefix="/live/{stream:view}/timeshift", tags=["time-shift"])

    async def show_index(request: Request, stream: str) -> Response:
        past, lines = await look(stream)
        # Who begins now sees what is here now: a moment's wait is worth a part of the past.
        await past.wait_longer(PAST_TIMEOUT_S)
        return answer_text(request, past.opening(past.lines() or lines).encode(), PLAYLIST_TYPE, gzip.compress)

    async def show_playlist(request: Request, stream: str) -> Response:
        since = read_from(request.query_params)
        past, lines = await look(stream)
        lines = [line for line in lines if line.msn >= since] or lines
        return answer_text(request, past.playlist(lines).encode(), PLAYLIST_TYPE, gzip.compress)

    async def look(stream: str) -> tuple[Past, list[SegmentLine]]:
        """What there is, once there is anything. Raises Problem."""
        past = await tune(stream)
        if past.window is not None and not past.shelf.lines():
            await past.window.wait_open(OPEN_TIMEOUT_S)
            if past.window.is_open:
                await past.window.wait_whole(OPEN_TIMEOUT_S)
        lines = past.lines()
        if not lines:
            raise not_yet("Nothing of this stream is kept yet")
        past.go_back(time.monotonic())
        return past, lines

    async def show_init(request: Request, stream: str, epoch: int) -> Response:
        past = await tune(stream)
        return answer_media(request, MEDIA_TYPES["video"], [past.init(epoch) or b""])

    async def show_segment(request: Request, stream: str, folder: str, msn: int) -> Response:
        track = read_folder(folder)
        return answer_media(request, MEDIA_TYPES["video"], await (await tune(stream)).segment(msn, track))

    add_route(router, "/index.m3u8", show_index, "The last half hour as HLS: what to give to a player")
    add_route(router, "/window.m3u8", show_playlist, "The same as a media playlist, from a segment on")
    add_route(router, "/init-{epoch:number}.mp4", show_init, "Init segment of all tracks")
    add_route(router, "/{folder}/{msn:number}.m4s", show_segment, "A segment")
    return router


def read_from(query: QueryParams) -> int:
    """The number of the first segment to show, 0 for all. Raises Problem (400)."""
    text = query.get(FROM, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise Problem(status=400, title="There is no such segment", detail=f"{FROM} must be a number.", slug="bad-from")
    return int(text)
