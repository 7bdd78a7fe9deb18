"""Finds an ffmpeg that can do the work, and runs it so that it never outlives us.

What ends ffmpeg, whatever becomes of this process: its input or output pipe breaks when we are gone; where the system
has `setpriv` (util-linux), the kernel kills it with us even while it waits for an input that sends nothing.
"""

import asyncio
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import imageio_ffmpeg

from gateway.ingest.errors import FfmpegMissing
from gateway.ingest.progress import PERIOD_S, Progress, ProgressReader

LIBAVFORMAT_MIN = (59, 27)
"""libavformat of ffmpeg 5.1; development builds have no release number, but always this one."""

NEEDED_ENCODERS = ("libx264", "aac")
LOOK_S = 20.0
STDERR_LINES = 60
STDERR_LINE_CHARS = 500
PIPE_LIMIT_BYTES = 1 << 20
READ_BYTES = 1 << 16
GRACE_S = 2.0

WHAT_TO_DO = (
    "Install ffmpeg 5.1 or newer with libx264 (Debian and Ubuntu: apt install ffmpeg), "
    "or reinstall Seedcast with its Python package imageio-ffmpeg."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ffmpeg:
    """A program that has been looked at. ``guard`` goes before the command, so that it dies with its parent."""

    path: str
    libavformat: tuple[int, int]
    guard: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """That of libavformat, as its makers write it."""
        return ".".join(map(str, self.libavformat))


def bundled_ffmpeg() -> str | None:
    """The ffmpeg of the Python package, where it has one for this system."""
    try:
        path: str = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return None
    return path


def find_ffmpeg(
    *,
    search_path: str | None = None,
    bundled: Callable[[], str | None] = bundled_ffmpeg,
    least: tuple[int, int] = LIBAVFORMAT_MIN,
) -> Ffmpeg:
    """The system's ffmpeg if it is new enough, else the one of the Python package. Raises FfmpegMissing.

    ``search_path`` is a PATH to look in instead of this process's, ``least`` the libavformat that is needed. Runs
    programs: call it outside of an event loop.
    """
    guard = _find_guard()
    reasons = []
    for path in _candidates(search_path, bundled):
        outcome = _examine(path)
        if isinstance(outcome, tuple) and outcome < least:
            outcome = f"has libavformat {outcome[0]}.{outcome[1]}, {least[0]}.{least[1]} is needed"
        if isinstance(outcome, tuple):
            return Ffmpeg(path=path, libavformat=outcome, guard=guard)
        reasons.append(f"{path} {outcome}. ")
    why = "".join(reasons) or "There is no ffmpeg on this machine. "
    raise FfmpegMissing(why + WHAT_TO_DO)


def _candidates(search_path: str | None, bundled: Callable[[], str | None]) -> Iterator[str]:
    if (path := shutil.which("ffmpeg", path=search_path)) is not None:
        yield path
    if (path := bundled()) is not None:
        yield path


def _examine(path: str) -> tuple[int, int] | str:
    """The version of libavformat, or what is wrong with this program."""
    try:
        version = _ask(path, "-version")
        encoders = _ask(path, "-hide_banner", "-encoders")
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run ({error})"
    match = re.search(r"libavformat\s+(\d+)\.\s*(\d+)", version)
    found = (int(match[1]), int(match[2])) if match else (0, 0)
    if found < LIBAVFORMAT_MIN:
        return "is older than 5.1"
    missing = [name for name in NEEDED_ENCODERS if not re.search(rf"^\s\S+\s+{name}\s", encoders, re.MULTILINE)]
    return f"cannot encode with {' and '.join(missing)}" if missing else found


def _ask(path: str, *arguments: str) -> str:
    answer = subprocess.run(
        [path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=LOOK_S, check=True
    )
    return answer.stdout.decode(errors="replace")


@functools.cache
def _find_guard() -> tuple[str, ...]:
    """A command that has the kernel kill what it starts when the parent dies; () where there is none."""
    setpriv = shutil.which("setpriv")
    true = shutil.which("true")
    if sys.platform != "linux" or setpriv is None or true is None:
        return ()
    guard = (setpriv, "--pdeathsig", "KILL", "--")
    works = subprocess.run([*guard, true], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return guard if works.returncode == 0 else ()


class FfmpegProcess:
    """A running ffmpeg. Used as ``async with``: leaving the block ends it, and no process stays behind."""

    def __init__(self, process: asyncio.subprocess.Process, told: "_Told | None" = None) -> None:
        self._process = process
        self._told = told
        self._lines: deque[str] = deque(maxlen=STDERR_LINES)
        self._moved_s = time.monotonic()
        self._writing = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls,
        ffmpeg: Ffmpeg,
        arguments: Sequence[str],
        *,
        feed: bool = False,
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        progress: bool = False,
    ) -> Self:
        """``arguments`` follow the program's name. ``feed``: `write` goes to its standard input. ``environment``: its
        variables, in place of this process's. ``progress``: it tells once a second how it goes, where a process can
        inherit a pipe."""
        told = await _Told.open() if progress and os.name == "posix" else None
        try:
            process = await asyncio.create_subprocess_exec(
                *ffmpeg.guard,
                ffmpeg.path,
                *(told.arguments if told is not None else ()),
                *arguments,
                stdin=asyncio.subprocess.PIPE if feed else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=PIPE_LIMIT_BYTES,
                pass_fds=(*pass_fds, *((told.writing,) if told is not None else ())),
                env=environment,
            )
        except BaseException:
            if told is not None:
                told.close()
            raise
        finally:
            if told is not None:
                os.close(told.writing)
        if told is not None:
            told.pid = process.pid
        return cls(process, told)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stderr(self) -> tuple[str, ...]:
        """The last lines that it wrote about its work."""
        return tuple(self._lines)

    @property
    def progress(self) -> Progress | None:
        """What it told last; None before it has, and when it was not asked."""
        return self._told.reader.newest if self._told is not None else None

    async def read(self) -> bytes:
        """The next output, as soon as there is any; b"" at its end."""
        assert self._process.stdout is not None
        data = await self._process.stdout.read(READ_BYTES)
        self._moved_s = time.monotonic()
        return data

    async def write(self, data: bytes) -> None:
        """Feed the input; waits while ffmpeg does not keep up. Raises BrokenPipeError when it has ended."""
        assert self._process.stdin is not None
        self._writing = True
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except ConnectionResetError as error:
            raise BrokenPipeError from error
        self._writing = False
        self._moved_s = time.monotonic()

    @property
    def stuck_s(self) -> float:
        """For how long it has neither taken what waits for it nor given anything."""
        return time.monotonic() - self._moved_s if self._writing else 0.0

    def kill(self) -> None:
        """End it at once, because it hangs."""
        self._signal(signal.SIGKILL)

    def end_input(self) -> None:
        """Nothing more will be written: ffmpeg finishes what it has, and ends."""
        self._writing = True
        self._moved_s = time.monotonic()
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> int:
        """The exit code, once it has ended and everything it wrote has been taken; below zero: the signal."""
        code = await self._process.wait()
        await self._listening
        return code

    async def stop(self) -> None:
        """End it, gently first. Returns when the process is gone."""
        self.end_input()
        ending = asyncio.create_task(self._end())
        # A caller that is itself being cancelled must still leave no process behind.
        while not ending.done():
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                self._signal(signal.SIGKILL)
                await asyncio.wait({ending})
                raise

    async def _end(self) -> None:
        emptying = asyncio.create_task(self._drain())
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
        await emptying
        await self.wait()
        if self._told is not None:
            self._told.close()

    def _signal(self, number: signal.Signals) -> None:
        """A process that has ended but has not been reaped yet still has its number, so that nobody else is hit.

        asyncio's own ``terminate`` would reap it, behind the back of the watcher that waits for its exit code.
        """
        with suppress(ProcessLookupError):
            if self._process.returncode is None:
                os.kill(self._process.pid, number)

    async def _drain(self) -> None:
        """Empty the output, so that ffmpeg is not stuck writing to it."""
        while await self.read():
            pass

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        rest = b""
        while data := await self._process.stderr.read(READ_BYTES):
            *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
            rest = rest[-STDERR_LINE_CHARS:]
            self._lines.extend(text for line in lines if (text := _text(line)))
        if text := _text(rest):
            self._lines.append(text)


class _Told(asyncio.Protocol):
    """The pipe through which an ffmpeg tells of its progress."""

    def __init__(self, writing: int) -> None:
        self.writing = writing
        self.reader = ProgressReader()
        self.pid: int | None = None
        self._transport: asyncio.BaseTransport | None = None

    @classmethod
    async def open(cls) -> "_Told":
        reading, writing = os.pipe()
        told = cls(writing)
        await asyncio.get_running_loop().connect_read_pipe(lambda: told, os.fdopen(reading, "rb", 0))
        return told

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("-stats_period", f"{PERIOD_S:g}", "-progress", f"pipe:{self.writing}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data, time.monotonic(), _read_of(self.pid) if self.pid is not None else None)


def _read_of(pid: int) -> int | None:
    """What a process has read of files by now, its libraries included; Linux counts it. The network is not in it."""
    try:
        return int(Path(f"/proc/{pid}/io").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _text(line: bytes) -> str:
    return line[:STDERR_LINE_CHARS].decode(errors="replace").rstrip()
