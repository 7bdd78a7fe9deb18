"""What the routes of players have in common: an open window, and answers of text, of media, and of problems."""

import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers

from gateway.ladder import AUDIO
from gateway.live import LiveWindow
from gateway.media.parts import Buffer
from gateway.problems import Problem

Watch = Callable[[str], Awaitable[LiveWindow]]
Handler = Callable[..., Coroutine[None, None, Response]]

OPEN_TIMEOUT_S = 10.0
"""A playlist request waits so long for a stream's first key frame, and for an ordinary playlist's segments."""
RETRY_AFTER_S = 2

MEDIA_TYPES = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}

CACHE_TEXT = "no-cache"
CACHE_MEDIA = "public, max-age=3600, immutable"

DIGITS_MAX = 18
NO_WEIGHT = re.compile(r"\s*q=0(\.0{0,3})?\s*")
CODINGS_CHARS_MAX = 256
"""Of an Accept-Encoding header; what is longer is not read."""


class NumberConvertor(Convertor[int]):
    """A number in a path, short enough for 64 bits. A longer one is another path, hence a 404."""

    regex = f"[0-9]{{1,{DIGITS_MAX}}}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


class ViewConvertor(Convertor[str]):
    """A stream's name, and behind it the one rendition that is wanted, if any: ``<stream>/720p`` or
    ``<stream>/audio``."""

    regex = f"[^/]+(?:/(?:[0-9]{{2,4}}p|{AUDIO}))?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("number", NumberConvertor())
register_url_convertor("view", ViewConvertor())


def add_route(router: APIRouter, path: str, handler: Handler, summary: str) -> None:
    """GET and HEAD; only GET goes into the API's description."""
    router.add_api_route(path, handler, methods=["GET"], summary=summary, response_class=Response)
    router.add_api_route(path, handler, methods=["HEAD"], include_in_schema=False)


async def open_window(watch: Watch, stream: str) -> LiveWindow:
    """The stream's window with something in it. Raises Problem when nothing comes."""
    window = await watch(stream)
    if not window.is_open:
        await window.wait_open(OPEN_TIMEOUT_S)
    if not window.is_open:
        raise not_yet("The stream has no key frame yet")
    return window


def answer_text(request: Request, body: bytes, media_type: str, compress: Callable[[bytes], bytes]) -> Response:
    """A playlist or an MPD, which nobody may keep; gzipped by ``compress`` where the client takes that."""
    headers = {"cache-control": CACHE_TEXT, "vary": "accept-encoding"}
    if accepts_gzip(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        body = compress(body)
    return answer(request, body, headers, media_type)


def answer_media(request: Request, media_type: str, buffers: Sequence[Buffer]) -> Response:
    """Media bytes, whole or in the requested range. Raises Problem (404) when there are none."""
    body = b"".join(buffers)
    if not body:
        raise not_here()
    headers = {"cache-control": CACHE_MEDIA, "accept-ranges": "bytes"}
    span = read_range(request.headers, len(body))
    if span is None:
        return answer(request, body, headers, media_type)
    start, end = span
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return answer(request, body[start:end], headers, media_type, status=206)


def answer(request: Request, body: bytes, headers: dict[str, str], media_type: str, *, status: int = 200) -> Response:
    """An answer whose length is known; to HEAD without its body."""
    if request.method == "HEAD":
        headers["content-length"] = str(len(body))
        body = b""
    return Response(body, status_code=status, headers=headers, media_type=media_type)


def type_of(window: LiveWindow, track: int | None) -> str:
    """The MIME type of a track's media, or of all tracks in one."""
    return MEDIA_TYPES[next((info.kind for info in window.tracks if info.track == track), "video")]


def accepts_gzip(codings: str) -> bool:
    """Whether an Accept-Encoding header names gzip, and not with a weight of zero (RFC 9110 section 12.5.3)."""
    for coding in codings.lower().split(",") if len(codings) <= CODINGS_CHARS_MAX else ():
        name, _, weight = coding.partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return not NO_WEIGHT.fullmatch(weight)
    return False


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


def not_here() -> Problem:
    """Media that is not in the window."""
    return Problem(
        status=404,
        title="This media is not here",
        detail="It has left the window, was lost on the way, or never was. Load the playlist again.",
        slug="no-media",
    )


def not_yet(title: str) -> Problem:
    """What a stream that begins does not have yet."""
    return Problem(
        status=503,
        title=title,
        detail="It is being waited for: try again in a moment.",
        slug="not-yet",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )
