"""Transport streams that a server sends live: on air soon after a key frame, and nothing of them is lost for that."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from gateway.ingest import broadcast as broadcast_module
from gateway.ingest import pull as pull_module
from gateway.ingest.assembly import Assembly
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.drain import LIVE, Watch
from gateway.ingest.errors import InputBroken, InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.probe import InputInfo, InputVideo
from gateway.ingest.pull import Pace, flows, may_flow
from gateway.ingest.receiver import Outlet
from gateway.ingest.sources import Encoding, UrlSource
from gateway.ingest.standby import _starts_picture
from gateway.ingest.transport_stream import PACKET_BYTES, sounds_of, starts_unit
from gateway.media.errors import NoVideo
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.servers import Server, ok, serving
from tests.gateway.ingest.streams import WAIT_S, Listener, hashes, numbering

AFTER_KEY = 0.9
"""How much of the second after a key frame is sent: less than ffmpeg would look at."""


def packets_of(film: bytes) -> list[bytes]:
    return [film[at : at + PACKET_BYTES] for at in range(0, len(film), PACKET_BYTES)]


def seconds_of(film: bytes) -> list[bytes]:
    """Cut before each key frame."""
    packets = packets_of(film)
    keys = [at for at, packet in enumerate(packets) if _starts_picture(packet)]
    return [b"".join(packets[at:after]) for at, after in zip([0, *keys[1:]], [*keys[1:], len(packets)], strict=True)]


def cast_of(tool: Ffmpeg, server: Server, listener: Listener, encoding: Encoding | None = None) -> Broadcast:
    return Broadcast(
        UrlSource(url=f"{server.url}/live.ts", allow_private=True),
        ffmpeg=tool,
        encoding=encoding or Encoding(),
        numbering=numbering(),
        on_description=listener.description,
        on_piece=listener.piece,
    )


async def play(
    tool: Ffmpeg,
    chunks: list[bytes],
    listener: Listener,
    *,
    encoding: Encoding | None = None,
    pieces: int = 1,
    until: Callable[[], bool] = lambda: True,
) -> None:
    """The first pieces of a server that sends the first chunk at once, and the others when something is on air."""

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(chunks[0]))
        for chunk in chunks[1:]:
            await writer.drain()
            await listener.until_pieces(1)
            writer.write(chunk)
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(answer) as server:
        cast_ = cast_of(tool, server, listener, encoding)
        running = asyncio.create_task(cast_.run())
        await listener.until(lambda: len(listener.pieces) >= pieces and until())
        await cast_.stop()
        await running


@pytest.mark.parametrize("from_key", [True, False])
def test_it_is_on_air_once_a_key_frame_and_half_a_second_have_come(tool: Ffmpeg, films: Path, from_key: bool) -> None:
    first, second, third = seconds_of((films / "film.ts").read_bytes())
    packets = packets_of(second)
    begun = first if from_key else first[: PACKET_BYTES * 3] + first[len(first) // 2 // PACKET_BYTES * PACKET_BYTES :]
    split = int(len(packets) * AFTER_KEY)
    chunks = [begun + b"".join(packets[:split]), b"".join(packets[split:]) + third]
    listener = Listener()
    asyncio.run(play(tool, chunks, listener, pieces=13 if from_key else 8))
    assert listener.pieces[0].key
    assert [track.kind for track in listener.init.tracks] == ["audio", "video"]
    shown, film = hashes(tool, "-", film=listener.film()), hashes(tool, str(films / "film.mp4"))
    begins = 0 if from_key else 25
    assert shown == film[begins : begins + len(shown)]


def test_sound_that_is_named_and_starts_late_comes_in(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.ts"
    again = ["-stream_loop", "3", "-i"]
    inputs = [*again, str(films / "silent.mp4"), "-itsoffset", "2", *again, str(films / "sound.m4a")]
    command = [tool.path, "-v", "error", "-nostdin", *inputs, "-c", "copy", "-map", "0:v", "-map", "1:a", "-t", "10"]
    subprocess.run([*command, str(late)], check=True)
    film = late.read_bytes()
    (pid,) = sounds_of(film)
    split = next(at for at, packet in enumerate(packets_of(film)) if starts_unit(packet, pid)) * PACKET_BYTES
    listener = Listener()
    asyncio.run(play(tool, [film[:split], film[split:]], listener, until=lambda: len(listener.contents[-1].parts) == 2))
    assert len(listener.contents[0].parts) == 1


def test_a_stream_that_marks_no_key_frame_is_looked_into_by_ffmpeg(
    tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_module, "KEY_WITHIN_S", 0.2)
    film = b"".join(unmarked(packet) for packet in packets_of((films / "film.ts").read_bytes()))
    listener = Listener()
    asyncio.run(play(tool, [film], listener, pieces=5))
    assert [track.kind for track in listener.init.tracks] == ["audio", "video"]


def test_a_picture_that_had_to_be_encoded_is_so_at_once_after_a_break_off(
    tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast_module, "BACK_OFF_S", (0.01,))
    listener, film = Listener(), (films / "sparse.ts").read_bytes()

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(film))

    async def run() -> None:
        async with serving(answer) as server:
            cast_ = cast_of(tool, server, listener, Encoding(encode_long_gop=True, video_bps=300_000))
            running = asyncio.create_task(cast_.run())
            await listener.until(lambda: len({piece.epoch for piece in listener.pieces}) == 3)
            assert cast_.stats.restarts == 1
            assert cast_.stats.vitals.coding == "libx264"
            await cast_.stop()
            await running

    asyncio.run(run())


def maker() -> int:
    """The ffmpeg that makes parts, of the two that are at work."""
    (pid,) = (pid for pid in running_ffmpegs() if b"pipe:1" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return pid


def test_an_ffmpeg_that_crashes_is_told_and_counted(tool: Ffmpeg, films: Path) -> None:
    listener, film, asked = Listener(), (films / "film.ts").read_bytes(), list[str]()

    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(film))
        await writer.drain()
        asked.append(path)
        if len(asked) == 2:
            await listener.until_pieces(1)
            os.kill(maker(), signal.SIGSEGV)
            writer.write(film)
            await writer.drain()
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(answer) as server:
            cast_ = cast_of(tool, server, listener)
            running = asyncio.create_task(cast_.run())
            await listener.until(lambda: len({piece.epoch for piece in listener.pieces}) == 2)
            assert "ffmpeg crashed (SIGSEGV)" in cast_.trouble
            assert cast_.stats.restarts == 1
            await cast_.stop()
            await running

    asyncio.run(run())


def unmarked(packet: bytes) -> bytes:
    """The same without random_access_indicator (ISO/IEC 13818-1 section 2.4.3.4)."""
    if not packet[3] & 0x20 or not packet[4]:
        return packet
    return packet[:5] + bytes([packet[5] & ~0x40]) + packet[6:]


def test_what_is_encoded_is_looked_into_before(tool: Ffmpeg, films: Path) -> None:
    listener = Listener()
    encoding = Encoding(coding="encode", video_bps=300_000)
    asyncio.run(play(tool, [(films / "film.ts").read_bytes()], listener, encoding=encoding, pieces=5))
    assert {piece.duration_us for piece in listener.pieces[:5]} == {200_000}


def two_programmes(tool: Ffmpeg, films: Path, folder: Path) -> bytes:
    """One of sound, then one with a picture."""
    film = folder / "programmes.ts"
    inputs = ["-i", str(films / "sound.m4a"), "-i", str(films / "film.mp4"), "-map", "0:a", "-map", "1", "-c", "copy"]
    named = ["-program", "program_num=1:st=0", "-program", "program_num=2:st=1:st=2"]
    subprocess.run([tool.path, "-v", "error", "-nostdin", *inputs, *named, str(film)], check=True)
    return film.read_bytes()


def test_of_several_programmes_the_one_with_a_picture_is_shown(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    listener = Listener()
    asyncio.run(play(tool, [two_programmes(tool, films, tmp_path)], listener, pieces=5))
    assert "video" in [track.kind for track in listener.init.tracks]


def test_a_first_programme_without_anything_to_show_leaves_the_ordinary_way(
    tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: bytes) -> InputInfo:
        raise NoVideo("There is neither picture nor sound in this push.")

    listener = Listener()
    monkeypatch.setattr("gateway.ingest.transport_stream._read_map", read)
    asyncio.run(play(tool, [(films / "film.ts").read_bytes()], listener, pieces=5))
    assert [track.kind for track in listener.init.tracks] == ["audio", "video"]


async def pull_once(tool: Ffmpeg, server: Server, watch: Watch = LIVE) -> None:
    listener = Listener()
    await pull_module.pull(
        UrlSource(url=f"{server.url}/live.ts"),
        ffmpeg=tool,
        environment=None,
        encoding=Encoding(),
        numbering=numbering(),
        outlet=Outlet(description=listener.description, piece=listener.piece),
        begun=lambda _: None,
        troubled=lambda _: None,
        encoded=lambda: None,
        watch=watch,
    )


def test_a_server_that_answers_without_end_is_given_up(tool: Ffmpeg) -> None:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        await writer.drain()
        await asyncio.Event().wait()

    async def run() -> None:
        async with serving(answer) as server, asyncio.timeout(WAIT_S):
            with pytest.raises(InputBroken, match="sends nothing"):
                await pull_once(tool, server, Watch(first_s=0.5))

    asyncio.run(run())


def test_a_server_that_refuses_is_said_to(tool: Ffmpeg) -> None:
    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    async def run() -> None:
        async with serving(answer) as server:
            with pytest.raises(InputUnreadable, match="its server refuses it"):
                await pull_once(tool, server)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://x/live.ts", True),
        ("https://x:8080/udp/239.1.1.1:1234", True),
        ("http://x/user/word/4711?token=a.mp4", True),
        ("http://x/live.m3u8", False),
        ("https://x/film.MP4", False),
        ("srt://x:9000", False),
    ],
)
def test_where_a_transport_stream_may_be(url: str, may: bool) -> None:
    assert may_flow(UrlSource(url=url)) is may


def test_what_has_an_end_or_no_picture_does_not_flow() -> None:
    live = InputInfo(video=InputVideo(codec="h264"), format="mpegts")
    assert flows(live)
    assert not flows(InputInfo(video=live.video, format="mpegts", duration_s=60.0))
    assert not flows(InputInfo(video=live.video, format="mov,mp4"))
    assert not flows(InputInfo(video=None, format="mpegts"))
    assert flows(replace(live, programmes=1))
    assert not flows(replace(live, programmes=2))


def test_what_comes_faster_than_it_plays_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    class Measured:
        """What has come of it plays for ten seconds more each time."""

        pieces = 1
        media_us = 0

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"ten seconds"
            measured.media_us += 10_000_000

    async def run() -> None:
        pace = Pace(lambda _: None, Watch(ahead_s=15.0, stall_s=20.0))
        pace.begin(cast("Assembly", measured))
        assert [chunk async for chunk in pace.hold(chunks())] == [b"ten seconds"] * 4
        assert pace.on_air

    measured = Measured()
    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(run())
    assert [round(pause) for pause in slept] == [-15, -5, 5, 10], "no longer than half of what a server may be silent"
