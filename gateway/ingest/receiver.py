"""Inputs that others bring: ffmpeg waits at a port for one sender, and what that one sends is taken as a push.

Such an input cannot be looked into before it is opened: the sender that is being looked at would be gone.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from gateway.ingest.assembly import Assembly, OnDescription, OnPiece
from gateway.ingest.complaints import plain_reason
from gateway.ingest.drain import Watch
from gateway.ingest.errors import InputBroken, InputUnreadable, PushRefused
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.ingest.numbering import Numbering
from gateway.ingest.opening import PROTOCOLS
from gateway.ingest.push import run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding, UrlSource, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where the descriptions and pieces go."""

    description: OnDescription
    piece: OnPiece

    def ended(self) -> None:
        """The input may come again."""


async def receive(
    source: UrlSource,
    *,
    ffmpeg: Ffmpeg,
    encoding: Encoding,
    numbering: Numbering,
    outlet: Outlet,
    begun: Callable[[Assembly], None],
    watch: Watch,
) -> None:
    """Wait for a sender, however long that takes, and put it on air until it ends.

    ``begun`` is given what measures it. Raises InputUnreadable, InputBroken, MediaError.
    """
    async with await FfmpegProcess.start(ffmpeg, receiver_arguments(source)) as process:
        first = await process.read()
        if not first:
            await process.wait()
            raise InputUnreadable(f"{name_of(source)} cannot be opened: {plain_reason(process.stderr)}.")
        body = PushBody(chunks(process, first), idle_s=watch.stall_s)
        try:
            await run_push(body, ffmpeg=ffmpeg, encoding=encoding, numbering=numbering, sink=outlet, begun=begun)
        except PushRefused as error:
            raise InputBroken(f"{name_of(source)}: {error}") from error


def receiver_arguments(source: UrlSource) -> list[str]:
    """An ffmpeg that waits for one sender, and writes what comes untouched and without looking into it."""
    url = source.url
    if source.scheme == "srt" and "mode=listener" not in url:
        url += ("&" if "?" in url else "?") + "mode=listener"
    return blind_arguments(url, PROTOCOLS[source.scheme])


def blind_arguments(url: str, protocols: str, *options: str) -> list[str]:
    """An ffmpeg that writes what comes from an address untouched and without looking into it."""
    head = ["-hide_banner", "-nostats", "-loglevel", "warning", "-nostdin", "-protocol_whitelist", protocols, *options]
    blind = ["-f", "data", "-probesize", "32", "-analyzeduration", "0", "-i", url]
    return [*head, *blind, "-map", "0:0", "-c", "copy", "-f", "data", "-flush_packets", "1", "-"]


async def chunks(process: FfmpegProcess, first: bytes) -> AsyncIterator[bytes]:
    """What it writes, behind what has been read of it."""
    data = first
    while data:
        yield data
        data = await process.read()
