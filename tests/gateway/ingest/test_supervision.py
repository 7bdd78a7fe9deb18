"""ffmpegs that crash or hang in the middle of a push: another one goes on with what still comes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.ingest.complaints import signal_reason
from gateway.ingest.errors import PushUnusable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.push import PushReport, run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.streams import Listener, hashes, numbering

CHUNK_BYTES = 4000
FILLER = b"\x47\x1f\xff\x10".ljust(188, b"\xff") * 2000
"""Packets without content, more of them than all pipes take."""


def send(signum: int) -> None:
    (pid,) = running_ffmpegs()
    os.kill(pid, signum)


@dataclass
class Push:
    """A push that comes in two halves; between them something happens to its ffmpeg."""

    film: bytes
    happens: Callable[[], None]
    filler: bytes = b""
    after: Callable[[], None] = lambda: None
    listener: Listener = field(default_factory=Listener)
    troubles: list[str] = field(default_factory=list)
    _troubled: asyncio.Event = field(default_factory=asyncio.Event)

    async def body(self) -> AsyncIterator[bytes]:
        half = len(self.film) // 2
        for at in range(0, half, CHUNK_BYTES):
            yield self.film[at : min(at + CHUNK_BYTES, half)]
        await self.listener.until_pieces(1)
        self.happens()
        yield self.filler
        await self._troubled.wait()
        for at in range(half, len(self.film), CHUNK_BYTES):
            yield self.film[at : at + CHUNK_BYTES]

    def note(self, trouble: str) -> None:
        self.after()
        self.troubles.append(trouble)
        self._troubled.set()

    async def run(self, tool: Ffmpeg) -> PushReport:
        return await run_push(
            PushBody(self.body(), idle_s=20.0),
            ffmpeg=tool,
            encoding=Encoding(),
            numbering=numbering(),
            sink=self.listener,
            troubled=self.note,
        )


def assert_goes_on(push: Push, tool: Ffmpeg, films: Path) -> None:
    """The last second, which begins at the first key frame after the crash, is on air whole, as an epoch of its own."""
    epochs = sorted({piece.epoch for piece in push.listener.pieces})
    assert epochs == [epoch for epoch, _ in push.listener.descriptions]
    assert len(epochs) == 2
    numbers = [piece.number for piece in push.listener.pieces]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    push.listener.pieces = [piece for piece in push.listener.pieces if piece.epoch == epochs[1]]
    push.listener.renditions = push.listener.renditions[1:]
    assert push.listener.pieces[0].key
    assert hashes(tool, "-", film=push.listener.film()) == hashes(tool, str(films / "film.mp4"))[-25:]


@pytest.mark.parametrize("name", ["film.ts", "film.flv", "film.cmaf.mp4"])
def test_a_crashed_ffmpeg_is_followed_by_another_from_the_next_key_frame(tool: Ffmpeg, films: Path, name: str) -> None:
    push = Push((films / name).read_bytes(), lambda: send(signal.SIGSEGV))
    report = asyncio.run(push.run(tool))
    assert report.pieces == len(push.listener.pieces)
    assert [trouble.split(": ")[1] for trouble in push.troubles] == ["ffmpeg crashed (SIGSEGV)."]
    assert_goes_on(push, tool, films)


def test_an_ffmpeg_that_hangs_is_ended_and_followed_by_another(
    tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang() -> None:
        monkeypatch.setattr("gateway.ingest.supervision.HANG_S", 0.3)
        send(signal.SIGSTOP)

    push = Push((films / "film.ts").read_bytes(), hang, FILLER)
    push.after = lambda: monkeypatch.setattr("gateway.ingest.supervision.HANG_S", 30.0)
    asyncio.run(push.run(tool))
    assert push.troubles == ["ffmpeg took nothing and gave nothing for 0.3 s, and was ended."]
    assert_goes_on(push, tool, films)


def test_a_push_that_no_ffmpeg_survives_is_ended(tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.supervision.PAUSES_S", (0.0, 0.0))
    push = Push((films / "film.ts").read_bytes(), lambda: send(signal.SIGKILL))

    async def body() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield push.film
            await push.listener.until_pieces(1)
            push.listener.pieces.clear()
            send(signal.SIGKILL)
            await push._troubled.wait()
            push._troubled.clear()

    push.body = body  # type: ignore[method-assign]
    with pytest.raises(PushUnusable, match=r"killed \(SIGKILL\)"):
        asyncio.run(push.run(tool))
    assert len(push.troubles) == 2


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert signal_reason(250) == "ffmpeg was killed (signal 250)"
