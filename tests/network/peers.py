"""Real ``seedcast`` processes inside the houses, and the last that each of them has reported."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.reports import Report, read_report
from tests.network.namespaces import inside

STOP_S = 6.0
LINE_BYTES_MAX = 1 << 18


@dataclass(slots=True)
class Process:
    """One process; ``reports`` with the time of each in seconds after the first, which comes when it begins to dial."""

    name: str
    running: asyncio.subprocess.Process
    news: asyncio.Event
    began_s: float = 0.0
    report: Report | None = None
    words: list[str] = field(default_factory=list)
    reports: list[tuple[float, Report]] = field(default_factory=list)
    _listening: asyncio.Task[object] | None = None

    @property
    def pieces(self) -> int:
        return self.report.pieces_ready if self.report is not None else 0

    def listen(self) -> None:
        self._listening = asyncio.create_task(self._listen(), name=f"listen to {self.name}")

    async def stop(self) -> None:
        assert self.running.stdin is not None
        assert self._listening is not None
        self.running.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._listening), STOP_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.running.kill()
            await self._listening

    async def _listen(self) -> None:
        assert self.running.stdout is not None
        assert self.running.stderr is not None
        await asyncio.gather(self._hear(self.running.stdout), self._overhear(self.running.stderr))
        await self.running.wait()

    async def _hear(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            report = read_report(line.decode(errors="replace"))
            if report is not None:
                if self.report is None:
                    self.began_s = time.monotonic()
                self.report = report
                self.reports.append((time.monotonic() - self.began_s, report))
                self.news.set()

    async def _overhear(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            self.words.append(line.decode(errors="replace").rstrip())


async def start(
    name: str,
    space: str,
    folder: Path,
    arguments: Sequence[str],
    *,
    news: asyncio.Event,
    settings: Mapping[str, str] | None = None,
) -> Process:
    """``seedcast`` with these arguments in a namespace; ``news`` is set at each report. It ends when this process
    does."""
    environment = {"SEEDCAST_DATA_DIR": str(folder / name), **(settings or {})}
    running = await asyncio.create_subprocess_exec(
        *inside(space),
        *(sys.executable, "-m", "gateway", *arguments, "--json", "--with-parent"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
        limit=LINE_BYTES_MAX,
    )
    process = Process(name, running, news)
    process.listen()
    return process


async def until(condition: Callable[[], bool], seconds: float, news: asyncio.Event) -> bool:
    """Whether it came true in time; looked at again at any news."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                news.clear()
                await news.wait()
    return condition()
