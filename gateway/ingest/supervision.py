"""Keeps a push on air when its ffmpeg crashes or hangs: another one goes on from the push's next key frame.

feeding --ffmpeg ends, the push does not--> pausing (what comes is passed over) --key frame--> feeding, a new epoch
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.ingest.assembly import Assembly
from gateway.ingest.encoders import in_hardware
from gateway.ingest.errors import EncoderFailed, FfmpegCrashed, IngestError, PushUnusable
from gateway.ingest.ffmpeg import FfmpegProcess
from gateway.ingest.push_body import PushBody
from gateway.ingest.standby import Cue

PAUSES_S = (0.0, 1.0, 2.0, 5.0, 10.0)
"""Before each try, as long as none lasts for `STEADY_S`; after the last one the push is ended."""
STEADY_S = 30.0
HANG_S = 10.0
"""An ffmpeg that takes nothing and gives nothing for so long is ended."""
PICTURE_WITHIN_S = 30.0
"""An ffmpeg that has made nothing of a push for so long will not."""
LOOK_S = 0.25


class Patience:
    """How often ffmpeg may be started anew, and after which pause."""

    def __init__(self) -> None:
        self._failures = 0

    def pause_s(self, reason: str, lasted_s: float) -> float:
        """The pause after one that lasted so long. Raises PushUnusable for this reason when it was one too many."""
        self._failures = 1 if lasted_s > STEADY_S else self._failures + 1
        if self._failures > len(PAUSES_S):
            raise PushUnusable(reason)
        return PAUSES_S[self._failures - 1]


async def pass_over(body: PushBody, cue: Cue, seconds: float) -> bool:
    """Read on for so long and until the next key frame; whether one has come before the end.

    The body then begins with it. Raises PushRefused, MediaError.
    """
    cue.keep()
    until_s = time.monotonic() + seconds
    while not cue.ready or time.monotonic() < until_s:
        data = await body.read()
        if not data:
            break
        cue.feed(data)
    body.put_back(cue.replay)
    return cue.ready


@asynccontextmanager
async def watched(process: FfmpegProcess, assembly: Assembly) -> AsyncIterator[None]:
    """Kill an ffmpeg that hangs, and raise FfmpegCrashed for it; PushUnusable when it makes nothing of what comes."""
    watching = asyncio.create_task(_watch(process, assembly))
    try:
        yield
    except FfmpegCrashed as error:
        if watching.done():
            raise watching.result() from error
        raise
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(process: FfmpegProcess, assembly: Assembly) -> IngestError:
    """Why it has been killed."""
    began_s = time.monotonic()
    while process.stuck_s < HANG_S:
        await asyncio.sleep(LOOK_S)
        if not assembly.pieces and time.monotonic() - began_s > PICTURE_WITHIN_S:
            process.kill()
            return PushUnusable(
                f"Nothing that can be shown came in {PICTURE_WITHIN_S:g} s. Send a key frame every few seconds "
                "(ffmpeg: -g 50, OBS: keyframe interval 2), and sound if it is announced."
            )
    process.kill()
    reason = f"ffmpeg took nothing and gave nothing for {HANG_S:g} s, and was ended."
    if in_hardware(assembly.coding):
        return EncoderFailed(f"{assembly.coding} failed: {reason}")
    return FfmpegCrashed(reason)
