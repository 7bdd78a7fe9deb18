"""HLS for players: playlists, init segments, segments and parts of each stream under /live/{stream}/.

Every handler asks for the stream's live window and answers from it. Requests wait in two cases only: for a playlist
(until the stream has begun, or by the blocking reload of rfc8216bis section 6.2.5.2), and for the part which the
playlists announce as the next. CORS and OPTIONS are the business of `gateway.origins`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers, QueryParams

from gateway.live import LiveWindow
from gateway.media.hls import MUXED
from gateway.media.parts import Buffer
from gateway.problems import Problem

Watch = Callable[[str], Awaitable[LiveWindow]]

WHOLE_TIMEOUT_S = 2.5
"""Players that know no parts find nothing in a playlist without a whole segment: it is waited for so long."""

OPEN_TIMEOUT_S = 10.0
"""A playlist request waits so long for a stream's first key frame, and for an ordinary playlist's segments."""
RETRY_AFTER_S = 2

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
MEDIA_TYPES = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}

CACHE_PLAYLIST = "no-cache"
CACHE_MEDIA = "public, max-age=3600, immutable"

DIGITS_MAX = 18
TRACK_PREFIX = "track-"


class NumberConvertor(Convertor[int]):
    """A number in a path, short enough for 64 bits. A longer one is another path, hence a 404."""

    regex = f"[0-9]{{1,{DIGITS_MAX}}}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", NumberConvertor())


def hls_router(watch: Watch) -> APIRouter:
    """Routes under /live/{stream}; ``watch`` gives a stream's window, and raises Problem when it cannot."""
    router = APIRouter(prefix="/live/{stream}", tags=["hls"])
    _add_playlists(router, watch)
    _add_media(router, watch)
    return router


def _add_playlists(router: APIRouter, watch: Watch) -> None:
    async def show_index(request: Request, stream: str) -> Response:
        return answer_playlist(request, (await _open(watch, stream)).index())

    async def show_tracks(request: Request, stream: str) -> Response:
        return answer_playlist(request, (await _open(watch, stream)).tracks_index())

    async def show_muxed(request: Request, stream: str) -> Response:
        return await _low_latency(request, watch, stream, None)

    async def show_track(request: Request, stream: str, track: int) -> Response:
        return await _low_latency(request, watch, stream, track)

    async def show_plain(request: Request, stream: str) -> Response:
        window = await _open(watch, stream)
        if not await window.wait_plain(OPEN_TIMEOUT_S):
            raise _not_yet("The stream has no whole segment yet")
        return answer_playlist(request, window.plain_playlist())

    add_media_route(router, "/index.m3u8", show_index, "Low-latency HLS: what to give to a player")
    add_media_route(router, "/tracks.m3u8", show_tracks, "Low-latency HLS with the audio tracks apart")
    add_media_route(router, "/muxed.m3u8", show_muxed, "Low-latency media playlist, all tracks in one")
    add_media_route(router, "/track-{track:number}.m3u8", show_track, "Low-latency media playlist of one track")
    add_media_route(router, "/plain.m3u8", show_plain, "Ordinary HLS, for players without low latency")


def _add_media(router: APIRouter, watch: Watch) -> None:
    async def show_init(request: Request, stream: str, epoch: int) -> Response:
        window = await watch(stream)
        return _media(request, window, None, [window.init(epoch, None) or b""])

    async def show_track_init(request: Request, stream: str, epoch: int, track: int) -> Response:
        window = await watch(stream)
        return _media(request, window, track, [window.init(epoch, track) or b""])

    async def show_segment(request: Request, stream: str, folder: str, msn: int) -> Response:
        track = read_folder(folder)
        window = await watch(stream)
        return _media(request, window, track, window.segment(msn, track))

    async def show_part(request: Request, stream: str, folder: str, msn: int, part: int) -> Response:
        track = read_folder(folder)
        window = await watch(stream)
        if window.is_open and (msn, part) == window.hint:
            await window.wait_for(msn, part, window.rhythm.reload_timeout_s)
        return _media(request, window, track, window.part(msn, part, track))

    add_media_route(router, "/init-{epoch:number}.mp4", show_init, "Init segment of all tracks")
    add_media_route(router, "/init-{epoch:number}-{track:number}.mp4", show_track_init, "Init segment of one track")
    add_media_route(router, "/{folder}/{msn:number}.m4s", show_segment, "A segment")
    add_media_route(
        router, "/{folder}/{msn:number}.{part:number}.m4s", show_part, "A part; the one announced is awaited"
    )


Handler = Callable[..., Coroutine[None, None, Response]]


def add_media_route(router: APIRouter, path: str, handler: Handler, summary: str) -> None:
    """GET and HEAD; only GET goes into the API's description."""
    router.add_api_route(path, handler, methods=["GET"], summary=summary, response_class=Response)
    router.add_api_route(path, handler, methods=["HEAD"], include_in_schema=False)


async def _open(watch: Watch, stream: str) -> LiveWindow:
    """The stream's window with something in it. Raises Problem when nothing comes."""
    window = await watch(stream)
    if not window.is_open:
        await window.wait_open(OPEN_TIMEOUT_S)
    if not window.is_open:
        raise _not_yet("The stream has no key frame yet")
    return window


async def _low_latency(request: Request, watch: Watch, stream: str, track: int | None) -> Response:
    wanted = read_reload(request.query_params)
    window = await _open(watch, stream)
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
    return answer_playlist(request, window.playlist(track))


def read_reload(query: QueryParams) -> tuple[int, int | None] | None:
    """The directives of a blocking reload, None without. Raises Problem (400) when they make no sense."""
    msn, part = query.get("_HLS_msn"), query.get("_HLS_part")
    if msn is None:
        if part is not None:
            raise _bad_reload("_HLS_part needs _HLS_msn beside it.")
        return None
    return _read_number("_HLS_msn", msn), None if part is None else _read_number("_HLS_part", part)


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
        raise _not_here()
    return int(number)


def answer_playlist(request: Request, body: bytes) -> Response:
    """A playlist, which nobody may keep."""
    return _answer(request, body, {"cache-control": CACHE_PLAYLIST}, PLAYLIST_TYPE)


def _media(request: Request, window: LiveWindow, track: int | None, buffers: Sequence[Buffer]) -> Response:
    kind = next((info.kind for info in window.tracks if info.track == track), "video")
    return answer_media(request, kind, buffers)


def answer_media(request: Request, kind: str, buffers: Sequence[Buffer]) -> Response:
    """Media bytes, whole or in the requested range. Raises Problem (404) when there are none."""
    body = b"".join(buffers)
    if not body:
        raise _not_here()
    headers = {"cache-control": CACHE_MEDIA, "accept-ranges": "bytes"}
    span = read_range(request.headers, len(body))
    if span is None:
        return _answer(request, body, headers, MEDIA_TYPES[kind])
    start, end = span
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return _answer(request, body[start:end], headers, MEDIA_TYPES[kind], status=206)


def _answer(request: Request, body: bytes, headers: dict[str, str], media_type: str, *, status: int = 200) -> Response:
    if request.method == "HEAD":
        headers["content-length"] = str(len(body))
        body = b""
    return Response(body, status_code=status, headers=headers, media_type=media_type)


def read_range(headers: Headers, size: int) -> tuple[int, int] | None:
    """Start and end of the one range asked for (RFC 9110 section 14.2); None when the whole is to be sent.

    Ranges that cannot be read, and several at once, are ignored as the RFC allows. Raises Problem (416) when the range
    lies outside.
    """
    unit, _, spec = headers.get("range", "").partition("=")
    first, dash, last = spec.strip().partition("-")
    numbers = all(len(n) <= DIGITS_MAX and n.isascii() and (n.isdigit() or not n) for n in (first, last))
    # Without validators there is nothing that If-Range could name.
    if unit != "bytes" or not dash or not numbers or not first + last or "if-range" in headers:
        return None
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Problem(
            status=416,
            title="The range lies outside",
            detail=f"There are {size} bytes.",
            slug="range",
            headers={"content-range": f"bytes */{size}"},
        )
    return start, end


def _bad_reload(detail: str) -> Problem:
    return Problem(status=400, title="This playlist reload makes no sense", detail=detail, slug="bad-reload")


def _not_here() -> Problem:
    return Problem(
        status=404,
        title="This media is not here",
        detail="It has left the window, was lost on the way, or never was. Load the playlist again.",
        slug="no-media",
    )


def _not_yet(title: str) -> Problem:
    return Problem(
        status=503,
        title=title,
        detail="It is being waited for: try again in a moment.",
        slug="not-yet",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )
