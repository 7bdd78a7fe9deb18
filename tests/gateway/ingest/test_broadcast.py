"""Inputs on air, with the real ffmpeg: from the input to the pieces."""

import asyncio
import itertools
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gateway.ingest.broadcast import Broadcast, BroadcastStats
from gateway.ingest.errors import InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.sources import Encoding, FileSource, ListSource, ScreenSource, Source, TestSource, UrlSource
from gateway.media.errors import CodecError
from gateway.media.payload import unpack
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.streams import Listener, cast_of, clocks, hashes, numbering, pictures

PICTURE = TestSource(width=320, height=180, title="A test")
SMALL = Encoding(video_bps=400_000, audio_bps=64_000)


def play(tool: Ffmpeg, source: Source, count: int, encoding: Encoding = SMALL) -> tuple[Listener, BroadcastStats]:
    """The first pieces of an input."""

    async def run() -> tuple[Listener, BroadcastStats]:
        listener = Listener()
        cast = cast_of(tool, source, listener, encoding)
        running = asyncio.create_task(cast.run())
        await listener.until_pieces(count)
        stats = cast.stats
        await cast.stop()
        await running
        return listener, stats

    return asyncio.run(run())


def play_to_the_end(tool: Ffmpeg, source: Source, encoding: Encoding = SMALL) -> Listener:
    async def run() -> Listener:
        listener = Listener()
        await cast_of(tool, source, listener, encoding).run()
        return listener

    return asyncio.run(run())


def differences(numbers: list[int]) -> set[int]:
    return {after - before for before, after in itertools.pairwise(numbers)}


def parameters(mp4: bytes) -> bytes:
    """The box with the sequence and picture parameter sets."""
    at = mp4.index(b"avcC") - 4
    return mp4[at : at + int.from_bytes(mp4[at : at + 4], "big")]


def test_the_test_picture_becomes_regular_pieces(each_tool: Ffmpeg) -> None:
    listener, stats = play(each_tool, PICTURE, 16)
    assert {piece.duration_us for piece in listener.pieces} == {200_000}
    assert [piece.key for piece in listener.pieces] == [n % 5 == 0 for n in range(len(listener.pieces))]
    assert differences([piece.number for piece in listener.pieces]) == {1}
    assert differences([content.segment for content in listener.contents[::5]]) == {1}
    assert [content.index for content in listener.contents[:10]] == [*range(5), *range(5)]
    assert all(len(content.parts) == 2 for content in listener.contents)
    assert (stats.on_air, stats.fps, stats.restarts) == (True, 25.0, 0)
    assert stats.bitrate_bps != SMALL.bitrate_bps


def test_the_test_picture_describes_itself(tool: Ffmpeg) -> None:
    listener, _ = play(tool, PICTURE, 1)
    ((epoch, description),) = listener.descriptions
    assert epoch == listener.pieces[0].epoch
    assert (description.part_target_s, description.segment_target_s, description.clock) == (0.2, 1.0, True)
    video, audio = listener.init.lead, listener.init.tracks[0]
    assert (video.width, video.height, video.codec[:5]) == (320, 180, "avc1.")
    assert (audio.kind, audio.codec, audio.sample_rate) == ("audio", "mp4a.40.2", 48_000)


def test_the_clock_survives_encoding_and_agrees_with_the_capture_times(each_tool: Ffmpeg) -> None:
    listener, _ = play(each_tool, PICTURE, 12)
    times = clocks(each_tool, listener.film(), 320, 180)
    assert None not in times
    assert differences([time for time in times if time is not None]) == {40}
    for piece, time in zip(listener.pieces, times[::5], strict=True):
        assert time is not None
        # Arrival can only be after capture; the bound is wide because the machine may be busy.
        assert 0 <= piece.capture_us / 1000 - time + 1 < 5_000


def test_decode_times_are_positive_and_join_up(each_tool: Ffmpeg) -> None:
    listener, _ = play(each_tool, PICTURE, 11)
    for track in listener.init.tracks:
        parts = [part for content in listener.contents for part in content.parts if part.track == track.track]
        assert parts[0].decode_time > 0
        assert [part.decode_time + part.duration for part in parts[:-1]] == [part.decode_time for part in parts[1:]]


def test_a_film_is_copied_and_not_encoded_again(each_tool: Ffmpeg, films: Path) -> None:
    film = films / "film.mp4"
    listener = play_to_the_end(each_tool, FileSource(path=film))
    assert hashes(each_tool, "-", film=listener.film()) == hashes(each_tool, str(film))
    assert parameters(film.read_bytes()) == parameters(listener.init.data)
    assert sum(piece.key for piece in listener.pieces) == 3


def test_a_transport_stream_is_copied_too(each_tool: Ffmpeg, films: Path) -> None:
    listener = play_to_the_end(each_tool, FileSource(path=films / "film.ts"))
    assert hashes(each_tool, "-", film=listener.film()) == hashes(each_tool, str(films / "film.mp4"))
    assert [track.kind for track in listener.init.tracks] == ["audio", "video"]


def test_a_film_can_be_encoded_anew(tool: Ffmpeg, films: Path) -> None:
    film = films / "film.mp4"
    listener = play_to_the_end(tool, FileSource(path=film), Encoding(coding="encode", video_bps=300_000))
    assert len(hashes(tool, "-", film=listener.film())) == 75
    assert hashes(tool, "-", film=listener.film()) != hashes(tool, str(film))


def test_an_old_codec_is_encoded(tool: Ffmpeg, films: Path) -> None:
    listener = play_to_the_end(tool, FileSource(path=films / "film.mpeg2.ts"))
    assert listener.init.lead.codec.startswith("avc1.")
    assert listener.init.tracks[0].codec == "mp4a.40.2"
    assert sum(piece.duration_us for piece in listener.pieces) == pytest.approx(3_000_000, abs=200_000)


def test_a_film_without_sound_goes_on_air(tool: Ffmpeg, films: Path) -> None:
    listener = play_to_the_end(tool, FileSource(path=films / "silent.mp4"))
    assert [track.kind for track in listener.init.tracks] == ["video"]
    assert len(listener.pieces) == 15


def test_key_frames_far_apart_make_a_long_segment_and_a_corrected_description(tool: Ffmpeg, films: Path) -> None:
    listener = play_to_the_end(tool, FileSource(path=films / "sparse.mp4"))
    assert [content.index for content in listener.contents] == list(range(15))
    targets = [description.segment_target_s for _, description in listener.descriptions]
    assert targets == [1.0, 4.0]
    assert len({epoch for epoch, _ in listener.descriptions}) == 1


@pytest.mark.parametrize("name", ["film.mp4", "film.ts"])
def test_a_film_in_a_loop_goes_on_behind_its_end(tool: Ffmpeg, films: Path, name: str) -> None:
    listener, _ = play(tool, FileSource(path=films / name, loop=True), 19)
    assert differences([piece.number for piece in listener.pieces]) == {1}
    assert len({piece.epoch for piece in listener.pieces}) == 1
    assert all(len(content.parts) == 2 for content in listener.contents[:19])


def test_the_films_of_a_folder_go_on_air_one_after_the_other(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    for name, film in (("1.mp4", "film.mp4"), ("2.mp4", "silent.mp4"), ("10.ts", "film.mp4")):
        second = ["-i", str(films / film), "-c", "copy", "-t", "1", str(tmp_path / name)]
        subprocess.run([tool.path, "-v", "error", "-nostdin", *second], check=True)
    (tmp_path / "3 broken.mp4").write_text("no film")

    async def run() -> Listener:
        listener = Listener()
        await cast_of(tool, ListSource(names=(str(tmp_path),)), listener, SMALL).run()
        return listener

    listener = asyncio.run(run())
    assert differences([piece.number for piece in listener.pieces]) == {1}
    by_epoch = [list(group) for _, group in itertools.groupby(listener.pieces, lambda piece: piece.epoch)]
    assert [len(pieces) for pieces in by_epoch] == [5, 5, 5]
    assert all(pieces[0].key for pieces in by_epoch)
    captures = [piece.capture_us for piece in listener.pieces]
    assert captures == sorted(captures)
    assert [len(unpack(pieces[1].payloads[0]).parts) for pieces in by_epoch] == [2, 1, 2]
    assert [epoch for epoch, _ in listener.descriptions] == [pieces[0].epoch for pieces in by_epoch]


def test_films_that_hold_nothing_to_play_say_so(tool: Ffmpeg, films: Path) -> None:
    names = (str(films / "lost.mp4"), str(films / "missing.mp4"))
    with pytest.raises(InputUnreadable, match=r"lost.mp4 and 1 more has no film that can be played: .*missing.mp4"):
        play_to_the_end(tool, ListSource(names=names))


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
    ],
)
def test_a_list_under_a_films_name_is_not_opened(each_tool: Ffmpeg, films: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "own.ts").symlink_to(films / "film.ts")
    (tmp_path / "film.mp4").write_text(text.format("own.ts"))
    with pytest.raises(InputUnreadable):
        play_to_the_end(each_tool, FileSource(path=tmp_path / "film.mp4"))
    if text.startswith("#EXT"):
        (tmp_path / "film.m3u8").write_text(text.format("own.ts"))
        listener, _ = play(each_tool, FileSource(path=tmp_path / "film.m3u8"), 3)
        assert len(listener.pieces) >= 3


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("missing.mp4", InputUnreadable, "missing.mp4 cannot be read: there is no such file"),
    ],
)
def test_what_cannot_go_on_air_says_why(
    tool: Ffmpeg, films: Path, name: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        play_to_the_end(tool, FileSource(path=films / name))


def test_what_may_only_be_copied_and_cannot_be_is_refused(tool: Ffmpeg, films: Path) -> None:
    with pytest.raises(CodecError, match="mpeg2video"):
        play_to_the_end(tool, FileSource(path=films / "film.mpeg2.ts"), Encoding(coding="copy"))


def test_a_server_that_is_not_there_says_so(tool: Ffmpeg) -> None:
    with pytest.raises(InputUnreadable, match="nobody answers"):
        play_to_the_end(tool, UrlSource(url="http://127.0.0.1:9/live.ts", allow_private=True))


def test_a_screen_goes_on_air_with_silence(tool: Ffmpeg, x_display: str) -> None:
    listener, _ = play(tool, ScreenSource(display=x_display), 6)
    assert [track.kind for track in listener.init.tracks] == ["audio", "video"]
    assert all(len(content.parts) == 2 for content in listener.contents[1:6])
    picture = pictures(tool, listener.film(), 320, 240)[-1]
    assert np.mean(picture) > 240  # white, but for the pointer


def test_an_ffmpeg_that_crashes_is_started_anew(tool: Ffmpeg) -> None:
    async def run() -> tuple[Listener, BroadcastStats]:
        listener = Listener()
        cast = cast_of(tool, PICTURE, listener, SMALL)
        running = asyncio.create_task(cast.run())
        await listener.until_pieces(3)
        (pid,) = running_ffmpegs()
        os.kill(pid, signal.SIGKILL)
        await listener.until(lambda: len(listener.descriptions) > 1)
        await listener.until_pieces(len(listener.pieces) + 2)
        stats = cast.stats
        await cast.stop()
        await running
        return listener, stats

    listener, stats = asyncio.run(run())
    assert stats.restarts == 1
    assert stats.pieces == len(listener.pieces)
    assert differences([piece.number for piece in listener.pieces]) == {1}
    discontinuities = [content.discontinuity for content in listener.contents]
    assert discontinuities[-1] == discontinuities[0] + 1
    assert listener.pieces[-1].epoch > listener.pieces[0].epoch
    first = discontinuities.index(discontinuities[-1])
    assert listener.pieces[first].key
    assert listener.contents[first].segment == listener.contents[first - 1].segment + 1


def test_stopping_before_anything_came_leaves_nothing(tool: Ffmpeg) -> None:
    async def run() -> None:
        listener = Listener()
        cast = cast_of(tool, PICTURE, listener, SMALL)
        running = asyncio.create_task(cast.run())
        await asyncio.sleep(0)  # it has begun to start ffmpeg
        await cast.stop()
        await running

    asyncio.run(run())


def test_stopping_twice_and_without_a_start_is_no_error(tool: Ffmpeg) -> None:
    async def run() -> None:
        cast = cast_of(tool, PICTURE, Listener(), SMALL)
        await cast.stop()
        await cast.stop()
        await cast.run()

    asyncio.run(run())


def test_whoever_takes_the_pieces_may_fail_and_hears_of_it(tool: Ffmpeg) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("full")

    async def run() -> None:
        cast = Broadcast(
            PICTURE,
            ffmpeg=tool,
            encoding=SMALL,
            numbering=numbering(),
            on_description=Listener().description,
            on_piece=refuse,
        )
        await cast.run()

    with pytest.raises(RuntimeError, match="full"):
        asyncio.run(run())


def test_it_runs_in_the_faster_event_loop_too(tool: Ffmpeg) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        listener = Listener()
        cast = cast_of(tool, PICTURE, listener, SMALL)
        running = asyncio.create_task(cast.run())
        await listener.until_pieces(2)
        await cast.stop()
        await running

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
