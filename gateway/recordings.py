"""The recordings that this gateway makes at somebody's request: which run, how they go, and how they ended.

They lie in one folder, under names made here; nobody chooses a path from outside.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from gateway.channels import Channels
from gateway.live import LiveWindow
from gateway.live.transport import TransportStreams
from gateway.media.errors import MediaError
from gateway.problems import Problem
from gateway.timeshift.recording import Format, Outcome, Recording

logger = logging.getLogger(__name__)

RUNNING_MAX = 8
KNOWN_MAX = 64
"""Recordings that are told of; those that ended first are forgotten, their files stay."""
NAME_CHARS = 8
"""Of the stream's name, in the name of a file."""


class RecordingState(StrEnum):
    """``silent``: nothing came for a minute; ``failed``: the disk, or a stream that the format cannot carry."""

    RUNNING = "running"
    STOPPED = "stopped"
    ENDED = "ended"
    SILENT = "silent"
    FAILED = "failed"


class Job:
    """One recording at work, and what became of it."""

    def __init__(self, id: str, stream: str, recording: Recording) -> None:  # noqa: A002 - as in the API
        self.id = id
        self.stream = stream
        self.recording = recording
        self.state = RecordingState.RUNNING
        self.trouble = ""
        self._task: asyncio.Task[None] | None = None

    def start(self, watch: Callable[[], Awaitable[LiveWindow]]) -> None:
        self._task = asyncio.create_task(self._run(watch), name=f"recording {self.id}")

    async def stop(self) -> None:
        """Returns when the files are closed."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self.state is RecordingState.RUNNING:
            self.state = RecordingState.STOPPED

    async def _run(self, watch: Callable[[], Awaitable[LiveWindow]]) -> None:
        try:
            outcome = await self.recording.run(watch)
            self.state = RecordingState.ENDED if outcome is Outcome.ENDED else RecordingState.SILENT
        except (OSError, MediaError, Problem) as error:
            self.state, self.trouble = RecordingState.FAILED, str(error)
            logger.warning("recording %s has failed: %s", self.id, error)


class Recordings:
    """All recordings of a gateway, in ``folder``."""

    def __init__(self, folder: Path, channels: Channels, transports: TransportStreams) -> None:
        self._folder = folder
        self._channels = channels
        self._transports = transports
        self._jobs: dict[str, Job] = {}

    def all(self) -> list[Job]:
        """The newest first."""
        return list(reversed(self._jobs.values()))

    def get(self, id: str) -> Job:  # noqa: A002 - as in the API
        """Raises Problem when there is none of that name."""
        job = self._jobs.get(id)
        if job is None:
            raise Problem(status=404, title="There is no such recording", detail="GET /api/v1/recordings lists them.")
        return job

    def start(self, stream: str, form: Format) -> Job:
        """Begin to record a stream, or one rendition of it: ``<stream>/720p``.

        Raises Problem when it is unknown, too many run, or there is no folder.
        """
        channel = self._channels.get(stream)
        running = [job for job in self._jobs.values() if job.state is RecordingState.RUNNING]
        if len(running) >= RUNNING_MAX:
            raise Problem(
                status=507,
                title=f"{RUNNING_MAX} recordings run already",
                detail="Stop one of them: DELETE /api/v1/recordings/{id}.",
            )
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Problem(status=500, title="The folder of recordings cannot be made", detail=str(error)) from error
        name = self._free_name(f"{time.strftime('%Y%m%d-%H%M%S')}-{channel.name[:NAME_CHARS]}", form)
        job = Job(name, channel.name, Recording(self._folder / f"{name}.{form}", form, self._transports))
        self._forget_oldest()
        self._jobs[name] = job
        job.start(lambda: self._channels.watch(stream))
        return job

    async def close(self) -> None:
        """Stop all, and wait until their files are closed."""
        await asyncio.gather(*(job.stop() for job in self._jobs.values()))

    def _free_name(self, stem: str, form: Format) -> str:
        """Several may begin within one second."""
        names = (stem, *(f"{stem}{letter}" for letter in "bcdefghi"))
        free = (n for n in names if n not in self._jobs and not (self._folder / f"{n}.{form}").exists())
        name = next(free, None)
        if name is None:
            raise Problem(status=429, title="Too many recordings at once", detail="Wait for a second.")
        return name

    def _forget_oldest(self) -> None:
        over = [job.id for job in self._jobs.values() if job.state is not RecordingState.RUNNING]
        while over and len(self._jobs) >= KNOWN_MAX:
            del self._jobs[over.pop(0)]
