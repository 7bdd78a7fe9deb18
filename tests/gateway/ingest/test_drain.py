"""What is taken from ffmpeg: live inputs are watched, so that they neither fall silent nor run ahead."""

import asyncio
import signal
from typing import cast

import pytest

from gateway.ingest.assembly import Assembly
from gateway.ingest.drain import Watch, assemble
from gateway.ingest.errors import EncoderCrashed, FfmpegCrashed, InputBroken
from gateway.ingest.ffmpeg import FfmpegProcess


class Process:
    """Gives so many chunks, then its end, or nothing any more."""

    stderr = ()

    def __init__(self, chunks: int, *, ends: bool = True, code: int = 0) -> None:
        self._chunks = chunks
        self._ends = ends
        self._code = code

    async def read(self) -> bytes:
        self._chunks -= 1
        if self._chunks < 0 and not self._ends:
            await asyncio.Event().wait()
        return b"chunk" if self._chunks >= 0 else b""

    async def wait(self) -> int:
        return self._code


class Film:
    """An assembly in which each chunk plays for ten seconds."""

    waiting = False

    def __init__(self, coding: str = "copy") -> None:
        self.coding = coding
        self.pieces = 0
        self.media_us = 0
        self.finished = False

    def watch(self, worker: object) -> None:
        self.worker = worker

    def feed(self, data: bytes, _: int, __: int) -> None:
        self.pieces += bool(data)
        self.media_us += 10_000_000 * bool(data)

    def finish(self) -> None:
        self.finished = True


def take(process: Process, film: Film, watch: Watch | None) -> None:
    asyncio.run(assemble(cast("FfmpegProcess", process), cast("Assembly", film), "It", watch))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, without sleeping."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


def test_what_comes_faster_than_it_plays_is_held_back(pauses: list[float]) -> None:
    take(Process(3), Film(), Watch(ahead_s=15.0))
    assert [round(pause) for pause in pauses[:3]] == [-5, 5, 15]


def test_files_are_not_held_back(pauses: list[float]) -> None:
    film = Film()
    take(Process(3), film, None)
    assert pauses == []
    assert film.finished


@pytest.mark.parametrize(
    ("coding", "signum", "error"),
    [
        ("h264_vaapi", signal.SIGSEGV, EncoderCrashed),
        ("h264_vaapi", signal.SIGKILL, FfmpegCrashed),
        ("libx264", signal.SIGSEGV, FfmpegCrashed),
        ("copy", signal.SIGSEGV, FfmpegCrashed),
    ],
)
def test_a_crash_is_laid_to_an_encoder_in_hardware_only(coding: str, signum: int, error: type[Exception]) -> None:
    with pytest.raises(FfmpegCrashed) as crash:
        take(Process(1, code=-signum), Film(coding), None)
    assert type(crash.value) is error


@pytest.mark.parametrize("chunks", [0, 1])
def test_what_sends_nothing_is_given_up(pauses: list[float], chunks: int) -> None:
    film = Film()
    with pytest.raises(InputBroken, match="It sends nothing any more"):
        take(Process(chunks, ends=False), film, Watch(stall_s=0.01, first_s=0.02))
    assert film.pieces == chunks
    assert len(pauses) == chunks
