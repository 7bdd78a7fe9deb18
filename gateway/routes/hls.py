"""HLS for players: playlists, init segments, segments and parts of each stream under /live/{stream}/.

Every handler asks for the stream's live window and answers from it. Requests wait in two cases only: for a playlist
(until the stream has begun, or by the blocking reload of rfc8216bis section 6.2.5.2), and for the part which the
playlists announce as the next. CORS and OPTIONS are the business of `gateway.origins`.
"""

import re

from fastapi import APIRouter, Request, Response
from starlette.datastructures import QueryParams

from gateway.live.jitter import HOLD_BACK_S_MAX
from gateway.live.subtitles import subtitles
from gateway.media.hls import HOLD_BACK, MUXED
from gateway.problems import Problem
from gateway.routes import answers
from gateway.routes.answers import (
    DIGITS_MAX,
    Watch,
    add_route,
    answer_media,
    answer_text,
    not_here,
    not_yet,
    open_window,
    type_of,
)

WHOLE_TIMEOUT_S = 2.5
"""Players that know no parts find nothing in a playlist without a whole segment: it is waited for so long."""

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
TEXT_TYPE = "text/vtt; charset=utf-8"
TRACK_PREFIX = "track-"
SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?", re.ASCII)
SKIPS = {None: False, "YES": True, "v2": True}


def hls_router(watch: Watch) -> APIRouter:
    """Routes under /live/{stream} and /live/{stream}/{rendition}; ``watch`` gives a stream's window.

    It raises Problem when it cannot.
    """
    router = APIRouter(prefix="/live/{stream:view}", tags=["hls"])
    _add_playlists(router, watch)
    _add_media(router, watch)
    return router


def _add_playlists(router: APIRouter, watch: Watch) -> None:
    async def show_index(request: Request, stream: str) -> Response:
        window = await open_window(watch, stream)
        return answer_text(request, window.index(), PLAYLIST_TYPE, window.compressed)

    async def show_tracks(request: Request, stream: str) -> Response:
        window = await open_window(watch, stream)
        return answer_text(request, window.tracks_index(), PLAYLIST_TYPE, window.compressed)

    async def show_muxed(request: Request, stream: str) -> Response:
        return await _low_latency(request, watch, stream, None)

    async def show_track(request: Request, stream: str, track: int) -> Response:
        return await _low_latency(request, watch, stream, track)

    async def show_plain(request: Request, stream: str) -> Response:
        window = await open_window(watch, stream)
        if not await window.wait_plain(answers.OPEN_TIMEOUT_S):
            raise not_yet("The stream has no whole segment yet")
        return answer_text(request, window.plain_playlist(), PLAYLIST_TYPE, window.compressed)

    add_route(router, "/index.m3u8", show_index, "Low-latency HLS: what to give to a player")
    add_route(router, "/tracks.m3u8", show_tracks, "Low-latency HLS with the audio tracks apart")
    add_route(router, "/muxed.m3u8", show_muxed, "Low-latency media playlist, all tracks in one")
    add_route(router, "/track-{track:number}.m3u8", show_track, "Low-latency media playlist of one track")
    add_route(router, "/plain.m3u8", show_plain, "Ordinary HLS, for players without low latency")


def _add_media(router: APIRouter, watch: Watch) -> None:
    async def show_init(request: Request, stream: str, epoch: int) -> Response:
        window = await watch(stream)
        return answer_media(request, type_of(window, None), [window.init(epoch, None) or b""])

    async def show_track_init(request: Request, stream: str, epoch: int, track: int) -> Response:
        window = await watch(stream)
        return answer_media(request, type_of(window, track), [window.init(epoch, track) or b""])

    async def show_segment(request: Request, stream: str, folder: str, msn: int) -> Response:
        track = read_folder(folder)
        window = await watch(stream)
        return answer_media(request, type_of(window, track), window.segment(msn, track))

    async def show_part(request: Request, stream: str, folder: str, msn: int, part: int) -> Response:
        track = read_folder(folder)
        window = await watch(stream)
        if window.is_open and (msn, part) == window.hint:
            await window.wait_for(msn, part, window.rhythm.reload_timeout_s)
        return answer_media(request, type_of(window, track), window.part(msn, part, track))

    async def show_text(request: Request, stream: str, track: int, msn: int) -> Response:
        window = await watch(stream)
        return answer_media(request, TEXT_TYPE, [subtitles(window, msn, None, track)])

    async def show_text_part(request: Request, stream: str, track: int, msn: int, part: int) -> Response:
        window = await watch(stream)
        if window.is_open and (msn, part) == window.hint:
            await window.wait_for(msn, part, window.rhythm.reload_timeout_s)
        return answer_media(request, TEXT_TYPE, [subtitles(window, msn, part, track)])

    add_route(router, "/init-{epoch:number}.mp4", show_init, "Init segment of all tracks")
    add_route(router, "/init-{epoch:number}-{track:number}.mp4", show_track_init, "Init segment of one track")
    add_route(router, "/{folder}/{msn:number}.m4s", show_segment, "A segment")
    add_route(router, "/{folder}/{msn:number}.{part:number}.m4s", show_part, "A part; the announced one is waited for")
    add_route(router, "/track-{track:number}/{msn:number}.vtt", show_text, "A segment of subtitles")
    add_route(router, "/track-{track:number}/{msn:number}.{part:number}.vtt", show_text_part, "A part of subtitles")


async def _low_latency(request: Request, watch: Watch, stream: str, track: int | None) -> Response:
    wanted, skip = read_reload(request.query_params), read_skip(request.query_params)
    hold_back_s = read_hold_back(request.query_params)
    window = await open_window(watch, stream)
    if wanted is None:
        await window.wait_whole(WHOLE_TIMEOUT_S)
    if track is not None and all(info.track != track for info in window.tracks):
        raise Problem(
            status=404, title="There is no such track", detail="tracks.m3u8 lists what there is.", slug="no-track"
        )
    if wanted is not None:
        msn, part = wanted
        if window.is_beyond(msn, part):
            raise _bad_reload("The requested segment or part is too far in the future.")
        # Held for its time, a request gets the playlist as it is: players take that better than an error.
        await window.wait_for(msn, part, window.rhythm.reload_timeout_s)
    playlist = window.playlist(track, skip=skip, hold_back_s=hold_back_s)
    return answer_text(request, playlist, PLAYLIST_TYPE, window.compressed)


def read_reload(query: QueryParams) -> tuple[int, int | None] | None:
    """The directives of a blocking reload, None without. Raises Problem (400) when they make no sense."""
    msn, part = query.get("_HLS_msn"), query.get("_HLS_part")
    if msn is None:
        if part is not None:
            raise _bad_reload("_HLS_part needs _HLS_msn beside it.")
        return None
    return _read_number("_HLS_msn", msn), None if part is None else _read_number("_HLS_part", part)


def read_skip(query: QueryParams) -> bool:
    """Whether a delta update is asked for (rfc8216bis section 6.2.5.1). Raises Problem (400)."""
    skip = SKIPS.get(query.get("_HLS_skip"))
    if skip is None:
        raise _bad_reload("_HLS_skip must be YES or v2.")
    return skip


def read_hold_back(query: QueryParams) -> float | None:
    """How far behind the players of this playlist stay, in seconds to the tenth. Raises Problem (400)."""
    text = query.get(HOLD_BACK)
    if text is not None and not SECONDS.fullmatch(text):
        raise _bad_reload(f"{HOLD_BACK} must be seconds, with three digits behind the point at most.")
    return None if text is None else min(float(text), HOLD_BACK_S_MAX)


def _read_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise _bad_reload(f"{name} must be a whole number.")
    return int(text)


def read_folder(folder: str) -> int | None:
    """The track of a folder, None for that of all tracks. Raises Problem (404)."""
    if folder == MUXED:
        return None
    number = folder.removeprefix(TRACK_PREFIX)
    if number == folder or not (number.isascii() and number.isdigit() and len(number) <= DIGITS_MAX):
        raise not_here()
    return int(number)


def _bad_reload(detail: str) -> Problem:
    return Problem(status=400, title="This playlist reload makes no sense", detail=detail, slug="bad-reload")
