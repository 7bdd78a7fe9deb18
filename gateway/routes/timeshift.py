"""Time-shift for players under /live/{stream}/timeshift/: one long HLS playlist, and what it names.

It holds what is on the shelf and the whole segments of the live window. It stays when the broadcast is over or nobody
can be reached any more: then it is a film, from its beginning.
"""

import gzip
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from gateway.routes.answers import MEDIA_TYPES, OPEN_TIMEOUT_S, add_route, answer_media, answer_text, not_yet
from gateway.routes.hls import PLAYLIST_TYPE, read_folder
from gateway.timeshift.past import Past

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
            raise not_yet("Nothing of this stream is kept yet")
        return answer_text(request, past.playlist(lines).encode(), PLAYLIST_TYPE, gzip.compress)

    async def show_init(request: Request, stream: str, epoch: int) -> Response:
        past = await tune(stream)
        return answer_media(request, MEDIA_TYPES["video"], [past.init(epoch) or b""])

    async def show_segment(request: Request, stream: str, folder: str, msn: int) -> Response:
        track = read_folder(folder)
        return answer_media(request, MEDIA_TYPES["video"], await (await tune(stream)).segment(msn, track))

    add_route(router, "/index.m3u8", show_playlist, "The last half hour as HLS")
    add_route(router, "/init-{epoch:number}.mp4", show_init, "Init segment of all tracks")
    add_route(router, "/{folder}/{msn:number}.m4s", show_segment, "A segment")
    return router
