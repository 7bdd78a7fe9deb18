"""RTMP pushed to by the real ffmpeg, and by peers that are none."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.ingest import amf
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.ingest.rtmp import STRANGERS_MAX, STRANGERS_MAX_PER_ADDRESS, RtmpPort
from gateway.ingest.rtmp_chunks import COMMAND, write_message
from gateway.ingest.rtmp_session import HANDSHAKE_BYTES
from gateway.serving import listen
from tests.gateway.ingest.streams import Listener, hashes

pytestmark = [pytest.mark.e2e, pytest.mark.alongside]

GREETING = b"\x03" + bytes(2 * HANDSHAKE_BYTES)


@dataclass
class Port:
    """An RTMP port on loopback, and what each key put on air."""

    number: int
    keys: IngestKeys
    listeners: dict[str, Listener] = field(default_factory=dict)

    def url(self, key: str) -> str:
        return f"rtmp://127.0.0.1:{self.number}/live/{key}"

    def add(self, name: str) -> tuple[str, Listener]:
        listener = self.listeners[name] = Listener()
        return self.keys.add(name).key, listener

    def on_air(self, entry: KeyEntry) -> Listener:
        return self.listeners[entry.name]


@asynccontextmanager
async def open_port(tool: Ffmpeg, key_within_s: float) -> AsyncIterator[Port]:
    listener = listen("127.0.0.1", 0)
    port = Port(listener.getsockname()[1], IngestKeys())
    desk = IngestDesk(port.keys, port.on_air, ffmpeg=tool)
    async with RtmpPort(desk, key_within_s=key_within_s).serving(listener):
        yield port
    desk.close()


def at_port(tool: Ffmpeg, visit: Callable[[Port], Coroutine[None, None, None]], *, key_within_s: float = 30.0) -> None:
    async def run() -> None:
        async with open_port(tool, key_within_s) as port:
            await visit(port)

    asyncio.run(run())


async def push(tool: Ffmpeg, film: Path, url: str) -> tuple[int | None, str]:
    """ffmpeg's exit code and complaints."""
    arguments = ("-v", "error", "-nostdin", "-re", "-i", str(film), "-c", "copy", "-f", "flv", url)
    pusher = await asyncio.create_subprocess_exec(tool.path, *arguments, stderr=asyncio.subprocess.PIPE)
    _, complaints = await pusher.communicate()
    return pusher.returncode, complaints.decode()


async def talk(port: Port, data: bytes, *, own: str = "127.0.0.1") -> bytes:
    """What the port says to these bytes, up to its closing the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port.number, local_addr=(own, 0))
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def until_whole(listener: Listener) -> None:
    await listener.until(lambda: sum(piece.duration_us for piece in listener.pieces) >= 2_900_000)


def test_two_films_go_on_air_over_one_port(each_tool: Ffmpeg, films: Path) -> None:
    async def visit(port: Port) -> None:
        sides = [port.add(name) for name in ("one", "two")]
        ends = await asyncio.gather(*(push(each_tool, films / "film.mp4", port.url(key)) for key, _ in sides))
        assert ends == [(0, ""), (0, "")]
        film = await asyncio.to_thread(hashes, each_tool, str(films / "film.mp4"))
        for _, listener in sides:
            await until_whole(listener)
            assert await asyncio.to_thread(hashes, each_tool, "-", film=listener.film()) == film
            assert [track.codec[:4] for track in listener.init.tracks] == ["mp4a", "avc1"]

    at_port(each_tool, visit)


def test_a_film_without_sound_goes_on_air(tool: Ffmpeg, films: Path) -> None:
    async def visit(port: Port) -> None:
        key, listener = port.add("studio")
        assert await push(tool, films / "silent.mp4", port.url(key)) == (0, "")
        await listener.until_pieces(10)

    at_port(tool, visit)


def test_a_wrong_key_is_told_to_the_publisher(tool: Ffmpeg, films: Path) -> None:
    async def visit(port: Port) -> None:
        old = port.keys.add("old", expires=datetime(2026, 1, 2, 3, 4, tzinfo=UTC)).key
        for key, why in (("0" * 32, "Check the key"), (old, "It expired on 2026-01-02")):
            code, complaints = await push(tool, films / "film.mp4", port.url(key))
            assert code != 0
            assert why in complaints

    at_port(tool, visit)


def test_sound_alone_goes_on_air(tool: Ffmpeg, films: Path) -> None:
    async def visit(port: Port) -> None:
        key, listener = port.add("studio")
        assert await push(tool, films / "sound.m4a", port.url(key)) == (0, "")
        await listener.until(lambda: sum(piece.duration_us for piece in listener.pieces) >= 2_900_000)

    at_port(tool, visit)


def test_what_is_no_rtmp_is_closed_at_once(tool: Ffmpeg) -> None:
    async def visit(port: Port) -> None:
        assert await talk(port, b"GET / HTTP/1.1\r\n\r\n") == b""
        play = write_message(COMMAND, amf.write_values(["play", 1.0, None, "x"]), chunk_stream=3)
        for rest in (b"\xff" * 500, play, b"\x03" + b"\xff" * 6 + b"\x14" + bytes(4)):
            assert len(await talk(port, GREETING + rest)) <= 1 + 2 * HANDSHAKE_BYTES

    at_port(tool, visit)


def test_a_stranger_that_shows_no_key_is_closed_in_time(tool: Ffmpeg) -> None:
    async def visit(port: Port) -> None:
        assert await talk(port, b"\x03") == b""
        assert len(await talk(port, GREETING)) == 1 + 2 * HANDSHAKE_BYTES

    at_port(tool, visit, key_within_s=0.2)


def test_strangers_are_few_in_all_and_from_one_address(tool: Ffmpeg) -> None:
    async def visit(port: Port) -> None:
        held = []
        for number in range(STRANGERS_MAX):
            own = f"127.0.0.{number // STRANGERS_MAX_PER_ADDRESS + 1}"
            reader, writer = await asyncio.open_connection("127.0.0.1", port.number, local_addr=(own, 0))
            held.append(writer)
            writer.write(GREETING)
            await reader.readexactly(1 + 2 * HANDSHAKE_BYTES)
            if number == STRANGERS_MAX_PER_ADDRESS - 1:
                assert await talk(port, GREETING) == b""  # from the first address there are enough
        assert await talk(port, GREETING, own="127.0.0.99") == b""
        for writer in held:
            writer.close()

    at_port(tool, visit)
