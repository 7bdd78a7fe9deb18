"""Encoders in hardware that fail on air: what was on air goes on with x264, and they rest.

There is no such encoder here: a script in front of ffmpeg plays its part, works for a while, and fails as they do.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.ingest import encoder_trust
from gateway.ingest.assembly import Assembly
from gateway.ingest.broadcast import BroadcastStats
from gateway.ingest.commands import PUSH_LOOK_S
from gateway.ingest.complaints import encoder_reason
from gateway.ingest.encoder_trust import REST_S, SOON_S, TWICE_WITHIN_S, EncoderTrust
from gateway.ingest.encoders import AUTO, SOFTWARE, find_encoder, settle_encoder
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.push import run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding, FileSource, ListSource, Source, TestSource
from gateway.ingest.supervision import HANG_S
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.hardware import BROKEN, encoders_on_air, trials, with_hardware
from tests.gateway.ingest.streams import WAIT_S, Listener, cast_of, numbering
from tests.gateway.ingest.test_supervision import FILLER

NVENC = "h264_nvenc"
PICTURE = TestSource(width=320, height=180)
AUTOMATIC = Encoding(encoder=AUTO, video_bps=300_000, audio_bps=64_000)
WORKS_S = "1"
TOOL = Ffmpeg(path="/nowhere", libavformat=(62, 0))

pytestmark = pytest.mark.usefixtures("graphics_card")


def play(tool: Ffmpeg, source: Source, listener: Listener, epochs: int = 2) -> BroadcastStats:
    """Until something of so many epochs is on air."""

    async def run() -> BroadcastStats:
        cast = cast_of(tool, source, listener, AUTOMATIC)
        running = asyncio.create_task(cast.run())
        await listener.until(lambda: len({piece.epoch for piece in listener.pieces}) == epochs)
        stats = cast.stats
        await cast.stop()
        await running
        return stats

    return asyncio.run(run())


def test_one_that_fails_on_air_is_followed_by_x264_as_a_new_epoch(
    tool: Ffmpeg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    listener = Listener()
    stats = play(machine, PICTURE, listener)
    assert encoders_on_air(runs) == [NVENC, "libx264"]
    assert (stats.on_air, stats.restarts, stats.vitals.coding) == (True, 1, "libx264")
    assert [warning for warning in stats.vitals.warnings if "encoder h264_nvenc failed: libx264" in warning]
    numbers = [piece.number for piece in listener.pieces]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert "h264_nvenc failed: EncodePicture failed!: out of memory (10)." in caplog.text
    assert "h264_nvenc has failed and is not used for 10 minutes" in caplog.text


def test_what_goes_on_air_after_that_does_not_take_it_and_says_so(tool: Ffmpeg, tmp_path: Path) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    play(machine, PICTURE, Listener())
    stats = play(machine, PICTURE, Listener(), epochs=1)
    assert encoders_on_air(runs) == [NVENC, "libx264", "libx264"]
    assert trials(runs) == 1
    assert "h264_nvenc" in "".join(stats.vitals.warnings)


@pytest.mark.parametrize("source", [FileSource, lambda path: ListSource(names=(str(path),))])
def test_a_film_goes_on_where_it_was(
    tool: Ffmpeg, films: Path, tmp_path: Path, source: Callable[..., FileSource | ListSource]
) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    listener = Listener()
    asyncio.run(cast_of(machine, source(path=films / "film.mpeg2.ts"), listener, AUTOMATIC).run())
    assert encoders_on_air(runs) == [NVENC, "libx264"]
    assert sum(piece.duration_us for piece in listener.pieces) == pytest.approx(3_000_000, abs=250_000)
    assert len({piece.epoch for piece in listener.pieces}) == 2


def test_one_that_fails_before_anything_is_on_air_keeps_nothing_from_it(
    tool: Ffmpeg, films: Path, tmp_path: Path
) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails="0")
    listener = Listener()
    asyncio.run(cast_of(machine, FileSource(path=films / "film.mpeg2.ts"), listener, AUTOMATIC).run())
    assert encoders_on_air(runs) == [NVENC, "libx264"]
    assert sum(piece.duration_us for piece in listener.pieces) == pytest.approx(3_000_000, abs=250_000)


def test_one_that_fails_after_a_long_time_gets_another_chance(
    tool: Ffmpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_trust, "SOON_S", 0.0)
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    stats = play(machine, PICTURE, Listener(), epochs=3)
    assert encoders_on_air(runs) == [NVENC, NVENC, "libx264"]
    assert stats.restarts == 2


def test_a_push_goes_on_at_its_next_key_frame(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    film = (films / "film.mpeg2.ts").read_bytes()
    listener, assemblies, troubled = Listener(), list[Assembly](), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield film
        await troubled.wait()
        yield film

    async def run() -> None:
        await run_push(
            PushBody(body(), idle_s=20.0),
            ffmpeg=machine,
            encoding=AUTOMATIC,
            numbering=numbering(),
            sink=listener,
            begun=assemblies.append,
            troubled=lambda _: troubled.set(),
        )

    asyncio.run(run())
    assert encoders_on_air(runs) == [NVENC, "libx264"]
    assert [assembly.coding for assembly in assemblies] == [NVENC, "libx264"]
    assert "h264_nvenc failed" in assemblies[-1].vitals.warnings[0]
    assert len({piece.epoch for piece in listener.pieces}) == 2


def test_one_that_hangs_is_ended_and_followed_by_x264(
    tool: Ffmpeg, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC)
    film = (films / "film.mpeg2.ts").read_bytes()
    listener, troubles, troubled = Listener(), list[str](), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield film
        await listener.until_pieces(1)
        monkeypatch.setattr("gateway.ingest.supervision.HANG_S", 0.3)
        (pid,) = running_ffmpegs()
        os.kill(pid, signal.SIGSTOP)
        yield FILLER
        await troubled.wait()
        yield film

    def note(trouble: str) -> None:
        monkeypatch.setattr("gateway.ingest.supervision.HANG_S", 30.0)
        troubles.append(trouble)
        troubled.set()

    async def run() -> None:
        pushed = PushBody(body(), idle_s=20.0)
        await run_push(pushed, ffmpeg=machine, encoding=AUTOMATIC, numbering=numbering(), sink=listener, troubled=note)

    asyncio.run(run())
    assert troubles == ["h264_nvenc failed: ffmpeg took nothing and gave nothing for 0.3 s, and was ended."]
    assert encoders_on_air(runs) == [NVENC, "libx264"]


def test_a_crash_moves_its_own_push_to_x264_and_no_other(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    machine, runs = with_hardware(tool, tmp_path, NVENC)
    film = (films / "film.mpeg2.ts").read_bytes()
    listener, troubled, stream = Listener(), asyncio.Event(), numbering()

    async def body() -> AsyncIterator[bytes]:
        yield film
        await listener.until_pieces(1)
        (pid,) = running_ffmpegs()
        os.kill(pid, signal.SIGSEGV)
        await troubled.wait()
        yield film

    async def run() -> tuple[Encoding, Encoding]:
        await run_push(
            PushBody(body(), idle_s=20.0),
            ffmpeg=machine,
            encoding=AUTOMATIC,
            numbering=stream,
            sink=listener,
            troubled=lambda _: troubled.set(),
        )
        others = await settle_encoder(machine, AUTOMATIC, numbering())
        return await settle_encoder(machine, AUTOMATIC, stream), others

    own, others = asyncio.run(run())
    assert encoders_on_air(runs) == [NVENC, "libx264"]
    assert (own.encoder, own.failed_encoder) == (SOFTWARE, NVENC)
    assert (others.encoder, others.failed_encoder) == (NVENC, "")
    assert trials(runs) == 2


def test_a_broadcast_takes_it_again_after_its_rest(
    tool: Ffmpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ingest.broadcast.BACK_OFF_S", (0.01,))
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    listener = Listener()

    def epochs() -> int:
        return len({piece.epoch for piece in listener.pieces})

    async def run() -> None:
        cast = cast_of(machine, PICTURE, listener, AUTOMATIC)
        running = asyncio.create_task(cast.run())
        await listener.until(lambda: epochs() == 2)
        now_s = encoder_trust.TRUST._clock()
        monkeypatch.setattr(encoder_trust.TRUST, "_clock", lambda: now_s + REST_S)
        (pid,) = running_ffmpegs()
        os.kill(pid, signal.SIGKILL)
        await listener.until(lambda: epochs() == 3)
        assert not cast.stats.vitals.warnings or "libx264" not in cast.stats.vitals.warnings[0]
        await cast.stop()
        await running

    asyncio.run(run())
    assert encoders_on_air(runs)[:3] == [NVENC, "libx264", NVENC]


def test_after_its_rest_it_is_tried_again(
    tool: Ffmpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    machine, runs = with_hardware(tool, tmp_path, NVENC, fails=WORKS_S)
    play(machine, PICTURE, Listener())
    assert find_encoder(machine, AUTO) == SOFTWARE
    now_s = encoder_trust.TRUST._clock()
    monkeypatch.setattr(encoder_trust.TRUST, "_clock", lambda: now_s + REST_S)
    (tmp_path / BROKEN).touch()
    assert find_encoder(machine, AUTO) == SOFTWARE
    (tmp_path / BROKEN).unlink()
    assert find_encoder(machine, AUTO) == SOFTWARE, "it rests again"
    monkeypatch.setattr(encoder_trust.TRUST, "_clock", lambda: now_s + 2 * REST_S)
    assert [find_encoder(machine, AUTO) for _ in range(2)] == [NVENC, NVENC]
    assert trials(runs) == 2
    assert caplog.text.count("is encoded by h264_nvenc") == 2


@pytest.mark.parametrize(
    ("lasted_s", "pauses_s", "rests"),
    [
        ((SOON_S - 1,), (), True),
        ((3600.0,), (), False),
        ((3600.0, TWICE_WITHIN_S - 1), (TWICE_WITHIN_S - 1,), True),
        ((3600.0, TWICE_WITHIN_S + 1), (TWICE_WITHIN_S + 1,), False),
    ],
)
def test_one_that_fails_soon_or_twice_rests(
    lasted_s: tuple[float, ...], pauses_s: tuple[float, ...], rests: bool
) -> None:
    now_s = 100.0
    trust = EncoderTrust(lambda: now_s)
    trust.tried(TOOL, NVENC, works=True)
    for lasted, pause in zip(lasted_s, (0.0, *pauses_s), strict=True):
        now_s += pause
        trust.failed(TOOL, NVENC, lasted)
    assert trust.rests(TOOL, NVENC) is rests
    assert trust.works(TOOL, NVENC) is not rests
    now_s += REST_S
    assert trust.works(TOOL, NVENC) is (None if rests else True)


def test_what_ends_two_broadcasts_at_once_is_one_failure() -> None:
    now_s = 10_000.0
    trust = EncoderTrust(lambda: now_s)
    trust.tried(TOOL, NVENC, works=True)
    trust.failed(TOOL, NVENC, 3600.0)
    now_s += 12.0
    trust.failed(TOOL, NVENC, 1800.0)
    assert trust.works(TOOL, NVENC) is True
    now_s += SOON_S
    trust.failed(TOOL, NVENC, SOON_S + 1)
    assert trust.rests(TOOL, NVENC), "by one that was started after the first"


def test_one_that_hangs_from_its_first_picture_fails_soon() -> None:
    assert SOON_S > HANG_S + PUSH_LOOK_S + 5.0


def test_a_crash_counts_for_its_stream_and_those_of_two_for_all() -> None:
    now_s = 100.0
    trust, one, other = EncoderTrust(lambda: now_s), numbering(), numbering()
    trust.tried(TOOL, NVENC, works=True)
    for _ in range(3):
        trust.crashed(TOOL, NVENC, one)
    assert trust.works(TOOL, NVENC, one) is False
    assert trust.works(TOOL, NVENC, other) is None, "a trial has to tell"
    trust.tried(TOOL, NVENC, works=True)
    assert trust.works(TOOL, NVENC, other) is True
    trust.crashed(TOOL, NVENC, other)
    assert trust.rests(TOOL, NVENC)
    now_s += REST_S
    assert trust.works(TOOL, NVENC, one) is None


def test_one_that_fails_its_trial_after_a_crash_rests() -> None:
    trust = EncoderTrust(lambda: 100.0)
    trust.tried(TOOL, NVENC, works=True)
    trust.crashed(TOOL, NVENC, numbering())
    trust.tried(TOOL, NVENC, works=False)
    assert trust.rests(TOOL, NVENC)


def test_one_that_fails_on_air_while_it_is_tried_rests() -> None:
    now_s = 100.0
    trust = EncoderTrust(lambda: now_s)

    def trial() -> bool:
        trust.failed(TOOL, NVENC, 1.0)
        return True

    assert not trust.try_out(TOOL, NVENC, trial)
    now_s += REST_S
    assert trust.works(TOOL, NVENC) is None


def test_two_that_want_it_try_it_once() -> None:
    trust, trials_of, begun, go = EncoderTrust(), list[str](), threading.Event(), threading.Event()

    def trial(name: str) -> bool:
        trials_of.append(name)
        begun.set()
        return go.wait(WAIT_S)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(trust.try_out, TOOL, NVENC, lambda: trial("first"))
        assert begun.wait(WAIT_S)
        second = pool.submit(trust.try_out, TOOL, NVENC, lambda: trial("second"))
        go.set()
        assert (first.result(), second.result()) == (True, True)
    assert trials_of == ["first"]


def test_one_that_never_failed_does_not_rest_at_any_time() -> None:
    assert not EncoderTrust(lambda: -10 * REST_S).rests(TOOL, NVENC)


def test_one_that_never_worked_is_not_tried_again() -> None:
    now_s = 100.0
    trust = EncoderTrust(lambda: now_s)
    trust.tried(TOOL, NVENC, works=False)
    now_s += 10 * REST_S
    assert trust.works(TOOL, NVENC) is False


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "[h264_nvenc @ 0x5581] EncodePicture failed!: out of memory (10)",
            "EncodePicture failed!: out of memory (10)",
        ),
        ("[vost#0:0/h264_nvenc @ 0x5581] Error submitting video frame to the encoder", "Error submitting video frame"),
        ("[AVHWDeviceContext @ 0x5581] cu->cuInit(0) failed -> CUDA_ERROR_NO_DEVICE", "cu->cuInit(0) failed"),
        ("Device creation failed: -5.", "Device creation failed: -5"),
        ("[h264_nvenc @ 0x5581] bitrate tolerance 4000000 too small for bitrate", ""),
        ("[h264_nvenc @ 0x5581] Driver does not support some wanted packed headers (wanted 0xd, found 0x1).", ""),
        ("[h264_nvenc @ 0x5581] some encoding parameters are not supported by the QSV runtime.", ""),
        (
            "[vost#0:0/h264_nvenc @ 0x5581] Error while opening encoder - maybe incorrect parameters",
            "Error while opening encoder",
        ),
        ("[http @ 0x5581] Stream ends prematurely at 117, should be 200", ""),
        ("http://x/live.ts: Connection timed out", ""),
        ("[h264 @ 0x5581] error while decoding MB 3 4, bytestream -5", ""),
        ("pipe:1: Broken pipe", ""),
    ],
)
def test_an_encoder_is_to_blame_where_ffmpeg_says_so(said: str, reason: str) -> None:
    found = encoder_reason(NVENC, ["Input #0, mpegts, from 'pipe:0':", said, "Conversion failed!"])
    assert found.startswith(reason)
    assert bool(found) is bool(reason)
