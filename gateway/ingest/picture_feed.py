"""Writes the test picture into ffmpeg's two pipes in real time.

A thread, because a write into a pipe blocks while ffmpeg is busy. Frame n is of the moment ``start + n / fps`` and is
written at that moment: what is late is written later, never shifted, so that picture, sound and clock cannot drift
apart. Sound is written a little ahead, so that the muxer never waits for it.
"""

import asyncio
import logging
import os
import sys
import threading
import time

from gateway.ingest.test_picture import SAMPLE_RATE, Beeps, TestPicture

if sys.platform == "linux":
    import fcntl

logger = logging.getLogger(__name__)

SOUND_AHEAD_S = 0.2
TOO_LATE_S = 5.0
"""After a sleep of the machine it is better to begin anew than to catch up."""
PIPE_BYTES = 1 << 20


class PictureFeed:
    """Owns the writing ends of the two pipes, and closes them when it ends."""

    def __init__(self, picture: TestPicture, *, fps: int, video: int, audio: int) -> None:
        self._picture = picture
        self._fps = fps
        self._video, self._audio = video, audio
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test picture", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def end(self) -> None:
        """End it, also when it has never started. A write that blocks ends only with ffmpeg: end that first."""
        self._stop.set()
        if self._thread.ident is None:
            self._close()
        else:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        widen(self._video)
        try:
            self._write_frames()
        except BrokenPipeError:
            pass  # ffmpeg has ended; whoever runs it knows why
        finally:
            self._close()

    def _close(self) -> None:
        os.close(self._video)
        os.close(self._audio)

    def _write_frames(self) -> None:
        # A clock that never steps sets the pace; the wall clock only names the first moment.
        start_us = time.time_ns() // 1000
        start_s = time.monotonic()
        beeps = Beeps(start_us)
        sounded = 0
        for number in range(sys.maxsize):
            due_s = number / self._fps
            frame = self._picture.frame((start_us + round(due_s * 1e6)) // 1000)
            late_s = time.monotonic() - start_s - due_s
            if self._stop.wait(max(-late_s, 0.0)):
                return
            if late_s > TOO_LATE_S:
                logger.warning("The test picture is %.1f s late and begins anew", late_s)
                return
            until = round((due_s + SOUND_AHEAD_S) * SAMPLE_RATE)
            write_all(self._audio, beeps.samples(sounded, until))
            sounded = until
            write_all(self._video, frame)


def write_all(pipe: int, data: bytes | memoryview) -> None:
    """Write everything, blocking. Raises BrokenPipeError when the reader has gone."""
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def widen(pipe: int) -> None:
    """Make room for whole frames in the pipe, where the system can, so that a frame takes few switches."""
    if sys.platform == "linux":
        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            logger.debug("The system does not give a pipe of %d bytes", PIPE_BYTES)
