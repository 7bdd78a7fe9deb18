"""Time-shift for players under /live/{stream}/timeshift/: one long HLS playlist, and what it names.

It holds what is on the shelf and the whole segments of the live window. It stays when the broadcast is over or nobody
can be reached any more: then it is a film, from its beginning.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from gateway.problems import Problem
from gateway.routes.hls import add_media_route, answer_media, answer_playlist, read_folder
from gateway.timeshift.past import Past

OPEN_TIMEOUT_S = 10.0
"""A playlist request waits so long for a stream's first whole segment."""

Tune = Callable[[str], Awaitable[Past]]


def timeshift_router(tune: Tune) -> APIRouter:
    """``tune`` counts a player's request for a stream and gives what there is; it raises Problem when it cannot."""
    router = APIRouter(prefix="/live/{stream}/timeshift", tags=["time-shift"])

    async def show_playlist(request: Request, stream: str) -> Response:
        past = await tune(stream)
        if past.window is not None and not past.shelf.lines():
            await past.window.wait_open(OPEN_TIMEOUT_S)
            if past.window.is_open:
                await past.window.wait_whole(OPEN_TIMEOUT_S)
        lines = past.lines()
        if not lines:
            raise _nothing_yet()
        return answer_playlist(request, past.playlist(lines).encode())

    async def show_init(request: Request, stream: str, epoch: int) -> Response:
        past = await tune(stream)
        return answer_media(request, "video", [past.init(epoch) or b""])

    async def show_segment(request: Request, stream: str, folder: str, msn: int) -> Response:
        track = read_folder(folder)
        return answer_media(request, "video", await (await tune(stream)).segment(msn, track))

    add_media_route(router, "/index.m3u8", show_playlist, "The last half hour as HLS")
    add_media_route(router, "/init-{epoch:number}.mp4", show_init, "Init segment of all tracks")
    add_media_route(router, "/{folder}/{msn:number}.m4s", show_segment, "A segment")
    return router


def _nothing_yet() -> Problem:
    return Problem(
        status=503,
        title="Nothing of this stream is kept yet",
        detail="It is being waited for: try again in a moment.",
        slug="not-yet",
        headers={"retry-after": "2"},
    )
