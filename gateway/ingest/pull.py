"""Transport streams that a server sends live: taken as a push, which is on air half a second after its next key frame.

An ffmpeg that opens such a stream by itself looks at it for as long as it may, key frame or not: once to see what is in
it, once to play it. Here its tables alone are looked at before; then one ffmpeg fetches, and the one that makes parts
of it is given all from the first key frame on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from gateway.ingest.assembly import Assembly
from gateway.ingest.complaints import plain_reason
from gateway.ingest.drain import CLOCK_SLACK, Watch
from gateway.ingest.errors import InputBroken, InputUnreadable, PushRefused, PushSilent
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.ingest.numbering import Numbering
from gateway.ingest.opening import NETWORK_TIMEOUT_US, PROTOCOLS
from gateway.ingest.probe import InputInfo
from gateway.ingest.push import run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.receiver import Outlet, blind_arguments, chunks
from gateway.ingest.sources import Encoding, UrlSource, name_of
from gateway.ingest.standby import Cue
from gateway.ingest.supervision import pass_over
from gateway.media.errors import MediaError

GLANCE_S = 0.1
"""Tables come ten times a second."""
KEY_WITHIN_S = 5.0
"""A stream that marks no key frame for so long is looked into by ffmpeg, which finds those that are not marked."""
OTHERS = (".m3u8", ".m3u", ".mpd", ".mp4", ".mov", ".mkv", ".webm", ".flv")
"""Names of what is no transport stream: it is not worth another request to see that."""


def may_flow(source: UrlSource) -> bool:
    """Whether there may be a transport stream behind this address."""
    suffix = PurePosixPath(urlsplit(source.url).path).suffix.lower()
    return source.scheme in ("http", "https") and suffix not in OTHERS


def flows(info: InputInfo) -> bool:
    """Whether this is one, with a picture, and live: what has an end is read at its own speed. A push is its first
    programme; where there are more, ffmpeg takes the picture from whichever has one."""
    alone = info.format == "mpegts" and info.programmes <= 1
    return alone and info.video is not None and info.duration_s is None


async def pull(
    source: UrlSource,
    *,
    ffmpeg: Ffmpeg,
    environment: Mapping[str, str] | None,
    encoding: Encoding,
    numbering: Numbering,
    outlet: Outlet,
    begun: Callable[[Assembly], None],
    troubled: Callable[[str], None],
    encoded: Callable[[], None],
    watch: Watch,
) -> None:
    """Fetch it and put it on air until it ends.

    ``begun`` is given what measures it, ``troubled`` why an ffmpeg ended too early; ``encoded`` is called when its
    picture turns out to be none that can be passed on. Raises InputUnreadable, InputBroken, MediaError.
    """
    name, pace = name_of(source), Pace(begun, watch)
    patience = ("-rw_timeout", str(NETWORK_TIMEOUT_US))
    arguments = blind_arguments(source.url, PROTOCOLS[source.scheme], *patience)
    async with await FfmpegProcess.start(ffmpeg, arguments, environment=environment) as process:
        first = await _begin(process, name, watch.first_s)
        body = PushBody(pace.hold(chunks(process, first)), idle_s=watch.stall_s)
        try:
            await _skip_to_key(body, name)
            await run_push(
                body,
                ffmpeg=ffmpeg,
                encoding=encoding,
                numbering=numbering,
                sink=outlet,
                begun=pace.begin,
                troubled=troubled,
                encoded=encoded,
            )
        except PushSilent as error:
            raise InputBroken(f"{name} sends nothing any more.") from error
        except PushRefused as error:
            raise (InputBroken if pace.on_air else InputUnreadable)(f"{name}: {error}") from error
        except MediaError as error:
            if pace.on_air:
                raise
            raise InputUnreadable(f"{name}: {error}") from error
        finally:
            await body.close()
        if body.is_over and await process.wait():
            raise InputBroken(f"{name} broke off: {plain_reason(process.stderr)}.")


async def _begin(process: FfmpegProcess, name: str, within_s: float) -> bytes:
    """The first bytes. Raises InputBroken when none come in time, InputUnreadable when there are none."""
    try:
        async with asyncio.timeout(within_s):
            first = await process.read()
    except TimeoutError as error:
        raise InputBroken(f"{name} sends nothing. Check whether it is on air.") from error
    if not first:
        await process.wait()
        raise InputUnreadable(f"{name} cannot be read: {plain_reason(process.stderr)}. Choose another input.")
    return first


async def _skip_to_key(body: PushBody, name: str) -> None:
    """Have the body begin with a key frame. Raises InputUnreadable when none comes, PushRefused."""
    try:
        async with asyncio.timeout(KEY_WITHIN_S):
            if await pass_over(body, Cue(), 0.0):
                return
    except TimeoutError:
        pass
    raise InputUnreadable(f"{name} cannot be read: it marks no key frame. Choose another input.")


class Pace:
    """Lets a stream run ahead of its time by so much and no more: servers begin with a burst.

    Whoever reads times this as if it were the server: no pause is so long that it could be taken for a server that
    sends nothing any more.
    """

    def __init__(self, begun: Callable[[Assembly], None], watch: Watch) -> None:
        self._begun = begun
        self._ahead_s = watch.ahead_s
        self._pause_s_max = watch.stall_s / 2
        self._assembly: Assembly | None = None
        self._began_s = 0.0
        self._before = 0

    @property
    def on_air(self) -> bool:
        """Whether anything of it has been."""
        return self._before > 0 or (self._assembly is not None and self._assembly.pieces > 0)

    def begin(self, assembly: Assembly) -> None:
        """This measures it from now on."""
        self._before += self._assembly.pieces if self._assembly is not None else 0
        self._assembly, self._began_s = assembly, time.monotonic()
        self._begun(assembly)

    async def hold(self, data: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in data:
            yield chunk
            if self._assembly is not None:
                elapsed_s = CLOCK_SLACK * (time.monotonic() - self._began_s)
                early_s = self._assembly.media_us / 1e6 - elapsed_s - self._ahead_s
                await asyncio.sleep(min(early_s, self._pause_s_max))
