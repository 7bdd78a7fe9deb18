"""Pushes without HTTP: bodies that stall, break off, or are no video."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from gateway.ingest.errors import NotTransportStream, PushRefused, PushSilent, PushUnusable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.push import PushReport, run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding
from gateway.media.errors import CodecError
from gateway.media.parts import Prft
from gateway.media.splitter import write_prft
from tests.gateway.ingest.streams import Listener, hashes, numbering
from tests.gateway.media_fixture import stream


async def chunks(data: bytes, size: int = 5000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def then_silence(data: bytes) -> AsyncIterator[bytes]:
    async for chunk in chunks(data):
        yield chunk
    await asyncio.Event().wait()


async def from_list(items: Iterable[bytes]) -> AsyncIterator[bytes]:
    for item in items:
        yield item


def push(
    tool: Ffmpeg, body: AsyncIterator[bytes], encoding: Encoding | None = None, *, idle_s: float = 30.0
) -> tuple[Listener, PushReport]:
    async def run() -> tuple[Listener, PushReport]:
        listener = Listener()
        report = await run_push(
            PushBody(body, idle_s=idle_s),
            ffmpeg=tool,
            encoding=encoding or Encoding(video_bps=300_000),
            numbering=numbering(),
            sink=listener,
        )
        return listener, report

    return asyncio.run(run())


def test_a_transport_stream_is_copied_whole(each_tool: Ffmpeg, films: Path) -> None:
    data = (films / "film.ts").read_bytes()
    listener, report = push(each_tool, chunks(data))
    assert hashes(each_tool, "-", film=listener.film()) == hashes(each_tool, str(films / "film.mp4"))
    assert [track.codec[:4] for track in listener.init.tracks] == ["mp4a", "avc1"]
    assert (report.size_bytes, report.pieces) == (len(data), len(listener.pieces))


def test_the_capture_time_is_the_senders_where_it_is_told(tool: Ffmpeg) -> None:
    film = stream()
    track = film.init.lead
    began_us = time.time_ns() // 1000 - 20_000_000
    body, first = [film.init.data], film.of_track(track.track)[0].decode_time
    for part in film.parts:
        if part.track == track.track:
            wall_us = began_us + (part.decode_time - first) * 1_000_000 // track.timescale
            body.append(write_prft(Prft(track=track.track, wallclock_us=wall_us, media_time=part.decode_time)))
        body.append(bytes(part.data))
    listener, _ = push(tool, from_list([b"".join(body)]))
    assert listener.pieces[0].capture_us == pytest.approx(began_us, abs=15_000_000)


def test_an_old_codec_is_encoded(tool: Ffmpeg, films: Path) -> None:
    listener, _ = push(tool, chunks((films / "film.mpeg2.ts").read_bytes()))
    assert [track.codec[:4] for track in listener.init.tracks] == ["mp4a", "avc1"]
    assert sum(piece.key for piece in listener.pieces) == 3


def test_what_may_only_be_copied_and_cannot_be_is_refused(tool: Ffmpeg, films: Path) -> None:
    with pytest.raises(CodecError, match="mpeg2video and mp2"):
        push(tool, chunks((films / "film.mpeg2.ts").read_bytes()), Encoding(coding="copy"))


def test_sound_alone_goes_on_air_in_pieces_of_half_a_second(tool: Ffmpeg, films: Path) -> None:
    listener, _ = push(tool, chunks((films / "sound.ts").read_bytes()))
    assert [track.codec for track in listener.init.tracks] == ["mp4a.40.2"]
    assert {piece.duration_us // 10_000 for piece in listener.pieces[:-1]} == {51}
    assert [piece.key for piece in listener.pieces][:4] == [True, False, True, False]
    assert sum(piece.duration_us for piece in listener.pieces) >= 2_900_000


@pytest.mark.parametrize("data", [b"", b"<html>" * 1000, b"G", bytes(100_000)])
def test_what_is_no_transport_stream_is_refused(tool: Ffmpeg, data: bytes) -> None:
    with pytest.raises(NotTransportStream):
        push(tool, chunks(data))


def test_packets_without_tables_are_refused_before_they_fill_the_memory(tool: Ffmpeg) -> None:
    with pytest.raises(PushUnusable, match="programme tables"):
        push(tool, chunks(b"\x47\x1f\xff\x10".ljust(188, b"\xff") * 6000))


def test_tables_without_a_picture_behind_them_are_refused(tool: Ffmpeg, films: Path) -> None:
    with pytest.raises(PushRefused):
        push(tool, chunks((films / "film.ts").read_bytes()[: 188 * 6]))


def test_a_sender_that_falls_silent_is_ended_and_what_came_is_on_air(tool: Ffmpeg, films: Path) -> None:
    async def run() -> Listener:
        listener = Listener()
        body = PushBody(then_silence((films / "film.ts").read_bytes()), idle_s=0.5)
        with pytest.raises(PushSilent, match=r"0\.5 s"):
            await run_push(body, ffmpeg=tool, encoding=Encoding(), numbering=numbering(), sink=listener)
        return listener

    listener = asyncio.run(run())
    assert sum(piece.duration_us for piece in listener.pieces) >= 2_900_000


def test_a_sender_that_never_says_anything_is_ended(tool: Ffmpeg) -> None:
    with pytest.raises(PushSilent):
        push(tool, then_silence(b""), idle_s=0.05)


def test_damage_in_the_middle_is_survived(tool: Ffmpeg, films: Path) -> None:
    data = bytearray((films / "film.ts").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    listener, _ = push(tool, chunks(bytes(data)))
    assert len(listener.pieces) >= 10


def test_empty_chunks_mean_nothing() -> None:
    async def run() -> list[bytes]:
        body = PushBody(from_list([b"", b"a", b"", b"", b"b", b""]), idle_s=1.0)
        return [await body.read() for _ in range(3)]

    assert asyncio.run(run()) == [b"a", b"b", b""]


def test_a_body_is_counted() -> None:
    async def run() -> int:
        body = PushBody(from_list([b"abc", b"de"]), idle_s=1.0)
        while await body.read():
            pass
        return body.size_bytes

    assert asyncio.run(run()) == 5


def test_a_push_that_is_cancelled_leaves_nothing(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        listener = Listener()
        body = PushBody(then_silence((films / "film.ts").read_bytes()), idle_s=30)
        work = run_push(body, ffmpeg=tool, encoding=Encoding(), numbering=numbering(), sink=listener)
        task = asyncio.create_task(work)
        await listener.until_pieces(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
