"""Makes an input ready to go on air: finds the device, sees whether the address is allowed, and looks what is in it."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Self

from gateway.ingest.credentials import masked
from gateway.ingest.devices import best_mode, listing, read_cameras, read_modes, video4linux_devices
from gateway.ingest.errors import InputPrivate, InputUnclear, InputUnreadable
from gateway.ingest.fetch_guard import FetchGuard
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.ingest.opening import probe_arguments
from gateway.ingest.private_hosts import leads_to_private
from gateway.ingest.probe import InputAudio, InputInfo, probe
from gateway.ingest.pull import GLANCE_S, flows, may_flow
from gateway.ingest.sources import ANALYZE_S_MAX, CameraSource, DeviceSource, FileSource, OneSource, UrlSource, name_of
from gateway.media.errors import MediaError

LOOK_S = 30.0
"""An input that does not say what is in it within this time is given up."""
LISTS = {"hls": (".m3u8", ".m3u"), "dash": (".mpd",), "concat": (), "imf": ()}
"""The formats that name other files, and what their own are called."""
RAW_SOUND = "pcm_s16le"
ALLOW = "Allow it with --allow-private (API: allow_private) if that is meant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An input that can be opened now, and the variables that ffmpeg is to run with; None: this process's own.

    ``flowing``: its tables alone have been looked at, and it is to be taken as a push.
    """

    source: OneSource
    info: InputInfo
    environment: Mapping[str, str] | None = None
    flowing: bool = False

    def behind(self, seconds: float) -> Self | None:
        """The same from so much later on, where it is a film, and one in a loop anew; None where nothing is left."""
        if not isinstance(self.source, FileSource) or self.source.loop:
            return self
        begin_s = self.source.begin_s + seconds
        if self.info.duration_s is not None and begin_s >= self.info.duration_s:
            return None
        return replace(self, source=replace(self.source, begin_s=begin_s))


class Preparation:
    """Prepares the inputs of one broadcast. Used as ``async with``: what it has prepared can be opened inside."""

    def __init__(self, ffmpeg: Ffmpeg, copies: Callable[[InputInfo], bool] = lambda _: False) -> None:
        """``copies``: whether a picture is passed on as it came, so that nothing of it has to be known before."""
        self._ffmpeg = ffmpeg
        self._copies = copies
        self._guard: FetchGuard | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def prepare(self, source: OneSource) -> Prepared:
        """Raises InputUnreadable, NoVideo, CodecError."""
        if isinstance(source, CameraSource):
            source = await self._find_camera(source)
        environment = await self._guarded(source) if isinstance(source, UrlSource) else None
        if isinstance(source, UrlSource) and may_flow(source):
            tables = await self._glance(source, environment)
            if tables is not None and flows(tables) and self._copies(tables):
                return Prepared(source=source, info=tables, environment=environment, flowing=True)
        return await self._look_into(source, environment)

    async def for_longer(self, prepared: Prepared) -> Prepared | None:
        """The same, opened with more patience for its first key frame; None where that has been tried.

        Raises as `prepare`.
        """
        source = prepared.source
        if prepared.flowing:
            self._refuse_private(name_of(source), prepared.environment)
            return await self._look_into(source, prepared.environment)
        if not isinstance(source, UrlSource) or source.analyze_s >= ANALYZE_S_MAX:
            return None
        return replace(prepared, source=replace(source, analyze_s=ANALYZE_S_MAX))

    async def _glance(self, source: UrlSource, environment: Mapping[str, str] | None) -> InputInfo | None:
        """What is seen of it at once; None where that is too little. Raises InputUnreadable where looking for longer
        would end as this did."""
        try:
            return await self._probe(replace(source, analyze_s=GLANCE_S), environment)
        except (InputUnclear, MediaError):
            return None

    async def _look_into(self, source: OneSource, environment: Mapping[str, str] | None) -> Prepared:
        info = await self._probe(source, environment)
        if isinstance(source, FileSource):
            _refuse_disguise(source, info)
        if isinstance(source, UrlSource) and info.video is not None and not info.video.width:
            source = replace(source, analyze_s=ANALYZE_S_MAX)
            info = await self._probe(source, environment)
        if isinstance(source, DeviceSource):
            # Its sound is an input of its own, which needs no probing.
            info = replace(info, audios=(InputAudio(codec=RAW_SOUND),))
        return Prepared(source=source, info=info, environment=environment)

    async def _probe(self, source: OneSource, environment: Mapping[str, str] | None) -> InputInfo:
        name = name_of(source)
        if self._guard is not None:
            self._guard.refused = ""
        try:
            async with asyncio.timeout(LOOK_S):
                return await probe(self._ffmpeg, name, probe_arguments(source), environment=environment)
        except TimeoutError as error:
            raise InputUnreadable(f"{name} sends nothing that can be shown. Check whether it is on air.") from error
        except InputUnreadable:
            self._refuse_private(name, environment)
            raise

    def _refuse_private(self, name: str, environment: Mapping[str, str] | None) -> None:
        """Raises InputPrivate when that is why it could not be opened just now."""
        if environment is not None and self._guard is not None and self._guard.refused:
            raise InputPrivate(f"{name} leads to the private address {self._guard.refused}. {ALLOW}.")

    async def _guarded(self, source: UrlSource) -> Mapping[str, str] | None:
        """What keeps ffmpeg out of private networks. Raises InputUnreadable when the URL itself leads there."""
        if source.allow_private:
            return None
        if await asyncio.to_thread(leads_to_private, source.url):
            raise InputUnreadable(f"{masked(source.url)} leads to a private address. {ALLOW}.")
        if source.scheme not in ("http", "https"):
            return None
        if self._guard is None:
            self._guard = await self._stack.enter_async_context(FetchGuard())
        return self._guard.environment

    async def _find_camera(self, source: CameraSource) -> CameraSource:
        """The camera by name, with the mode to use it in. Raises InputUnreadable when there is none."""
        if sys.platform != "linux":
            arguments = listing(source, sys.platform, "")
            found = read_cameras(await self._ask(arguments)) if arguments else [source.device]
            if not found:
                raise InputUnreadable("There is no camera on this machine. Plug one in, or choose another input.")
            return replace(source, device=found[0])
        devices = [source.device] if source.device else video4linux_devices()
        for device in devices:
            mode = best_mode(read_modes(await self._ask(listing(source, sys.platform, device) or [])))
            if mode is not None:
                return replace(source, device=device, mode=mode)
        if not source.device:
            raise InputUnreadable("There is no camera on this machine. Plug one in, or choose another input.")
        return source

    async def _ask(self, arguments: list[str]) -> tuple[str, ...]:
        """What ffmpeg says of devices."""
        try:
            async with (
                asyncio.timeout(LOOK_S),
                await FfmpegProcess.start(self._ffmpeg, ["-hide_banner", "-nostdin", *arguments]) as process,
            ):
                await process.wait()
                return process.stderr
        except TimeoutError:
            return ()


def _refuse_disguise(source: FileSource, info: InputInfo) -> None:
    """A list of other files goes by a list's name only. Raises InputUnreadable."""
    suffixes = LISTS.get(info.format)
    if suffixes is not None and source.path.suffix.lower() not in suffixes:
        raise InputUnreadable(f"{source.path} is no film, but a list of other files.")
