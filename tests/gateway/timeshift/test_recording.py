"""Recordings of real media: what ffprobe makes of them while they grow, after a crash, and across new beginnings."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.live import LiveWindow
from gateway.live.transport import TransportStreams
from gateway.media.errors import CodecError
from gateway.media.payload import PieceSlice
from gateway.timeshift import recording as recording_module
from gateway.timeshift import tape
from gateway.timeshift.recording import Format, Outcome, Recording
from gateway.timeshift.tape import DiskFull
from tests.conftest import need_ffprobe
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, encode, probe_packets, slices, stream

SECONDS = 4
FRAMES = 25 * SECONDS


def frames_of(path: Path) -> int:
    """Pictures that can be decoded; what is broken at the end is left out, as players do."""
    command = [need_ffprobe(), "-v", "quiet", "-of", "json", "-count_frames", "-select_streams", "v"]
    command += ["-show_entries", "stream=nb_read_frames", str(path)]
    shown = json.loads(subprocess.run(command, check=False, capture_output=True).stdout)
    return int(shown["streams"][0].get("nb_read_frames", 0)) if shown.get("streams") else 0


class Studio:
    """A window that is fed by hand, and a recording of it."""

    def __init__(self, path: Path, form: Format = Format.MP4) -> None:
        self.window = LiveWindow()
        self.recording = Recording(path, form, TransportStreams(1.0))
        self.watched = 0
        self._number = 1000

    def begin(self, epoch: int = 7, *, sound: bool = True) -> list[PieceSlice]:
        """A new epoch; its pieces, still to be given."""
        made = stream(seconds=SECONDS, sound=sound)
        self.window.set_description(epoch, made.description)
        return slices(made, segment=100 * epoch, discontinuity=epoch)

    def give(self, pieces: list[PieceSlice], epoch: int = 7) -> None:
        for piece in pieces:
            self._number += 1
            at_us = CAPTURE_US + self._number * PIECE_US
            self.window.add_piece(self._number, epoch, at_us, PIECE_US, piece)

    async def watch(self) -> LiveWindow:
        self.watched += 1
        return self.window

    async def written(self, seconds: float) -> None:
        """Until so much is in the files."""
        async with asyncio.timeout(60):
            while self.recording.seconds < seconds - 0.01:  # noqa: ASYNC110 - a thread writes
                await asyncio.sleep(0)


def play(studio: Studio, scene: Callable[["Studio", "asyncio.Task[Outcome]"], Awaitable[None]]) -> Outcome:
    async def main() -> Outcome:
        working = asyncio.create_task(studio.recording.run(studio.watch))
        await asyncio.sleep(0)
        await scene(studio, working)
        return await working

    return asyncio.run(main())


async def give_all(studio: Studio, pieces: list[PieceSlice], epoch: int = 7) -> None:
    """The first piece alone, so that a recording that begins now has everything."""
    before_s = studio.recording.seconds
    studio.give(pieces[:1], epoch)
    await studio.written(before_s + 0.2)
    studio.give(pieces[1:], epoch)
    await studio.written(before_s + SECONDS)


def test_a_recorded_broadcast_is_what_was_broadcast(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        await give_all(studio, studio.begin())
        studio.window.end()

    film = tmp_path / "film.mp4"
    studio = Studio(film)
    assert play(studio, scene) is Outcome.ENDED
    assert studio.recording.tape.files == [film]
    assert studio.recording.tape.size_bytes == film.stat().st_size
    assert probe_packets(film.read_bytes(), tmp_path) == probe_packets(encode(seconds=SECONDS), tmp_path)
    assert studio.watched > FRAMES // 5, "it counts as a viewer at each part"


@pytest.mark.parametrize("form", list(Format))
def test_it_plays_while_it_grows(tmp_path: Path, form: Format) -> None:
    film = tmp_path / f"film.{form}"

    async def scene(studio: Studio, _: object) -> None:
        pieces = studio.begin()
        studio.give(pieces[:1])
        await studio.written(0.2)
        studio.give(pieces[1:10])
        await studio.written(2.0)
        assert frames_of(film) == 50
        studio.give(pieces[10:])
        await studio.written(SECONDS)
        assert frames_of(film) == FRAMES
        studio.window.end()

    assert play(Studio(film, form), scene) is Outcome.ENDED


def test_of_a_crash_nothing_is_left_but_a_last_part_that_is_not_whole(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        await give_all(studio, studio.begin())
        studio.window.end()

    film = tmp_path / "film.mp4"
    play(Studio(film), scene)
    data, cut = film.read_bytes(), tmp_path / "cut.mp4"
    for size in range(len(data) // 3, len(data), len(data) // 7):
        cut.write_bytes(data[:size])
        whole = 5 * data[:size].count(b"moof") - 5
        assert whole <= frames_of(cut) <= whole + 5


def test_an_encoder_that_starts_anew_is_another_file_and_none_is_overwritten(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        for epoch in (7, 8, 9):
            await give_all(studio, studio.begin(epoch), epoch)
        studio.window.end()

    (tmp_path / "film-2.mp4").write_text("somebody's")
    studio = Studio(tmp_path / "film.mp4")
    assert play(studio, scene) is Outcome.ENDED
    names = ["film.mp4", "film-3.mp4", "film-4.mp4"]
    assert [path.name for path in studio.recording.tape.files] == names
    assert [frames_of(tmp_path / name) for name in names] == [FRAMES] * 3
    assert (tmp_path / "film-2.mp4").read_text() == "somebody's"


def test_mpegts_stays_one_file(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        for epoch in (7, 8):
            await give_all(studio, studio.begin(epoch), epoch)
        studio.window.end()

    studio = Studio(tmp_path / "film.ts", Format.TS)
    assert play(studio, scene) is Outcome.ENDED
    assert [path.name for path in studio.recording.tape.files] == ["film.ts"]
    assert frames_of(tmp_path / "film.ts") == 2 * FRAMES


def test_what_was_lost_is_left_out(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        pieces = studio.begin()
        studio.give(pieces[:1])
        await studio.written(0.2)
        studio.give(pieces[1:7])
        studio._number += 1
        studio.window.lose_piece(studio._number)
        studio.give(pieces[8:])
        await studio.written(SECONDS - 0.2)
        studio.window.end()

    film = tmp_path / "film.mp4"
    assert play(Studio(film), scene) is Outcome.ENDED
    times = [float(time) for time, _ in probe_packets(film.read_bytes(), tmp_path)["video"]]
    assert len(times) == FRAMES - 5
    assert max(times) - min(times) == pytest.approx(SECONDS - 0.04, abs=0.001)


def test_a_window_that_takes_the_place_of_another_is_followed(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        await give_all(studio, studio.begin())
        old, studio.window = studio.window, LiveWindow()
        old.close()
        studio.begin(8)
        await asyncio.sleep(0)

    studio = Studio(tmp_path / "film.mp4")
    assert play(studio, scene) is Outcome.SILENT


def test_a_stopped_recording_is_whole(tmp_path: Path) -> None:
    async def scene(studio: Studio, working: "asyncio.Task[Outcome]") -> None:
        await give_all(studio, studio.begin())
        working.cancel()

    film = tmp_path / "film.mp4"
    with pytest.raises(asyncio.CancelledError):
        play(Studio(film), scene)
    assert frames_of(film) == FRAMES


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    async def scene(studio: Studio, _: object) -> None:
        studio.give(studio.begin())

    film = tmp_path / "film.mp4"
    film.write_text("somebody's")
    with pytest.raises(FileExistsError):
        play(Studio(film), scene)
    assert film.read_text() == "somebody's"


def test_a_disk_that_fills_ends_it_with_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(tape, "SYNC_BYTES", 10_000)

    async def scene(studio: Studio, _: object) -> None:
        pieces = studio.begin()
        studio.give(pieces[:1])
        await studio.written(0.2)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=tape.FREE_BYTES_MIN - 1))
        studio.give(pieces[1:])

    film = tmp_path / "film.mp4"
    with pytest.raises(DiskFull):
        play(Studio(film), scene)
    assert frames_of(film) >= 5


def test_a_stream_of_which_nothing_comes_is_said_to_be_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "OPEN_WITHIN_S", 0.01)

    async def scene(studio: Studio, _: object) -> None:
        pass

    studio = Studio(tmp_path / "film.mp4")
    assert play(studio, scene) is Outcome.SILENT
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_mpegts_cannot_carry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise CodecError("VP9 cannot be had as MPEG-TS.")

    monkeypatch.setattr(TransportStreams, "of", refuse)

    async def scene(studio: Studio, _: object) -> None:
        studio.give(studio.begin())

    with pytest.raises(CodecError):
        play(Studio(tmp_path / "film.ts", Format.TS), scene)
