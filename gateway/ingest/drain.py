"""Takes what a running ffmpeg writes, from its first byte to its last, into an assembly."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.ingest.assembly import Assembly
from gateway.ingest.capture_clock import SETTLE_US
from gateway.ingest.complaints import encoder_reason, is_crash, plain_reason, signal_reason
from gateway.ingest.encoders import in_hardware
from gateway.ingest.errors import EncoderCrashed, EncoderFailed, FfmpegCrashed, InputBroken, InputUnreadable
from gateway.ingest.ffmpeg import READ_BYTES, FfmpegProcess
from gateway.ingest.steady_clock import SteadyClock

CLOCK_SLACK = 1.001
"""A source's clock may be so much faster than ours for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is expected of a live input, in seconds.

    One from which nothing has come for ``stall_s`` is given up; the first may take ``first_s``, since it has to wait
    for a key frame. What comes faster than it plays is let run ahead by ``ahead_s``, for the burst with which servers
    begin.
    """

    stall_s: float = 10.0
    first_s: float = 20.0
    ahead_s: float = 15.0


LIVE = Watch()


async def assemble(process: FfmpegProcess, assembly: Assembly, name: str, watch: Watch | None = None) -> None:
    """Take everything that ffmpeg writes, to its end.

    Raises InputUnreadable, InputBroken, FfmpegCrashed, EncoderFailed, MediaError.
    """
    assembly.watch(process)
    began_s = came_s = time.monotonic()
    steady = SteadyClock(time.time_ns() // 1000, time.monotonic_ns() // 1000)
    reading = True
    while reading:
        patience_s = (watch.stall_s if assembly.pieces else watch.first_s) if watch else None
        try:
            async with asyncio.timeout(SETTLE_US / 1e6 if assembly.waiting else patience_s):
                data = await process.read()
        except TimeoutError:
            if patience_s is not None and time.monotonic() - came_s >= patience_s:
                raise InputBroken(f"{name} sends nothing any more.") from None
            assembly.settle(steady.read(time.time_ns() // 1000, time.monotonic_ns() // 1000))
            continue
        came_s = time.monotonic()
        if not assembly.pieces:
            began_s = came_s
        wall_us = time.time_ns() // 1000
        assembly.feed(data, steady.read(wall_us, time.monotonic_ns() // 1000), wall_us)
        reading = bool(data)
        if watch is not None:
            await asyncio.sleep(assembly.media_us / 1e6 - CLOCK_SLACK * (came_s - began_s) - watch.ahead_s)
    assembly.finish()
    if (code := await process.wait()) == 0:
        return
    _blame_encoder(assembly.coding, code, process.stderr)
    if code < 0:
        raise FfmpegCrashed(f"{name} broke off: {signal_reason(-code)}.")
    reason = plain_reason(process.stderr)
    if not assembly.pieces:
        raise InputUnreadable(f"{name} cannot be read: {reason}. Choose another input.")
    raise InputBroken(f"{name} broke off: {reason}.")


def _blame_encoder(encoder: str, code: int, said: Sequence[str]) -> None:
    """Raises EncoderFailed when an encoder in hardware is to blame for how ffmpeg ended, by what it said, and
    EncoderCrashed when it may be, because ffmpeg crashed. A source that vanishes makes it end otherwise."""
    if not in_hardware(encoder):
        return
    if is_crash(-code):
        raise EncoderCrashed(f"{encoder} failed: {signal_reason(-code)}.")
    if code > 0 and (reason := encoder_reason(encoder, said)):
        raise EncoderFailed(f"{encoder} failed: {reason}.")


@asynccontextmanager
async def reading_texts(pipes: Sequence[int], assembly: Assembly) -> AsyncIterator[None]:
    """Takes the subtitles that ffmpeg writes meanwhile, and closes the pipes."""
    reading = [asyncio.create_task(_read_text(pipe, number, assembly)) for number, pipe in enumerate(pipes)]
    try:
        yield
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _read_text(pipe: int, number: int, assembly: Assembly) -> None:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0))
    try:
        while data := await reader.read(READ_BYTES):
            assembly.feed_text(number, data)
    finally:
        transport.close()
