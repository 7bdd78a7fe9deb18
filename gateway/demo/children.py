"""One process of the demonstration: started, listened to, ended.

A child leads a process group of its own, so that Ctrl-C in the terminal reaches the supervisor alone, which then ends
its children in order. Its standard input is a pipe that nobody writes to: when the supervisor is gone, in whatever
way, the child reads its end and stops.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gateway.reports import Report, read_report

STOP_S = 6.0
"""A child that has not ended so long after it was asked to is killed with its whole group."""
LINE_BYTES_MAX = 1 << 16
LAST_WORDS = 12
"""Lines of a child's standard error that are kept to be shown when it dies."""


class Child:
    """A running process of ours and the last that it told."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.report: Report | None = None
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self.stopping = False
        self._process = process
        self._reported = asyncio.Event()
        self._ended = asyncio.create_task(self._listen(), name=f"listen to {name}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        return self._process.returncode

    async def first_report(self) -> Report | None:
        """Its first report, or None when it ended before."""
        waiting = asyncio.create_task(self._reported.wait())
        await asyncio.wait((waiting, self._ended), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return self.report

    async def wait(self) -> int:
        """Its exit code, once it has ended and all that it said was read."""
        await asyncio.shield(self._ended)
        assert self._process.returncode is not None
        return self._process.returncode

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self.stopping = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self.wait(), STOP_S)
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with suppress(ProcessLookupError):
            if sys.platform != "win32":
                os.killpg(self._process.pid, signal.SIGKILL)
            elif self._process.returncode is None:
                self._process.kill()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        await asyncio.gather(self._hear_reports(self._process.stdout), self._hear_words(self._process.stderr))
        await self._process.wait()
        self.kill()  # what it may have left behind in its group

    async def _hear_reports(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            report = read_report(line.decode(errors="replace"))
            if report is not None:
                self.report = report
                self._reported.set()

    async def _hear_words(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            self.last_words.append(line.decode(errors="replace").rstrip())


async def start_child(name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Start ``seedcast`` with these arguments as a process that ends with this one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        "--with-parent",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,
        limit=LINE_BYTES_MAX,
    )
    return Child(name, process)
