"""Endless answers and HLS of MPEG-TS as ffmpeg plays them: a gateway on a real socket, fed in real time."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.commands.serve import running_gateway
from gateway.ingest.slicer import SlicedPiece
from gateway.media.payload import pack
from gateway.settings import Settings
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.units import StreamId
from tests.conftest import need_ffmpeg
from tests.gateway.media_fixture import PIECE_US, slices, stream
from tests.gateway.transport_reader import check_counters, read_packets, read_pes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

OWNER = Identity(b"owner".ljust(32, b"."))
NAME = stream_name(StreamId(OWNER.key))
PATHS = ("stream.ts", "stream.mp4", "ts.m3u8")
SECONDS = 40
READY = 42
STUCK = 20


@asynccontextmanager
async def on_air(folder: Path) -> AsyncIterator[str]:
    """A gateway that broadcasts: some pieces are there at once, the others come each when it is due."""
    settings = Settings.model_validate({"port": 0, "swarm_host": "127.0.0.1", "data_dir": folder})
    start_us = int(time.time() * 1e6) - READY * PIECE_US
    async with running_gateway(settings, asyncio.Event()) as (gateway, url):
        broadcast = gateway.studio.open(OWNER, "Test", lambda: 500_000)
        broadcast.description(7, stream(seconds=SECONDS).renditions)

        async def play() -> None:
            for number, content in enumerate(slices(stream(seconds=SECONDS))):
                capture_us = start_us + number * PIECE_US
                await asyncio.sleep(max(0.0, (capture_us + PIECE_US) / 1e6 - time.time()))
                piece = SlicedPiece(
                    number=number + 1,
                    epoch=7,
                    key=content.index == 0,
                    capture_us=capture_us,
                    duration_us=PIECE_US,
                    payloads=(pack(content),),
                )
                broadcast.piece(piece)

        playing = asyncio.create_task(play())
        try:
            yield url
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def play(url: str, seconds: float) -> int:
    """Let ffmpeg decode so much of a URL; gives the number of pictures, and fails when it complains of anything."""
    command = [need_ffmpeg(), "-hide_banner", "-nostdin", "-loglevel", "level+info", "-i", url]
    process = await asyncio.create_subprocess_exec(
        *command, "-t", str(seconds), "-f", "null", "-", stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    text = said.decode()
    assert process.returncode == 0, text
    assert not re.findall(r"\[(?:warning|error|fatal)\].*", text), text
    return int(re.findall(r"frame= *(\d+)", text)[-1])


def test_ffmpeg_plays_each_of_them_without_a_complaint(tmp_path: Path) -> None:
    async def main() -> list[int]:
        async with on_air(tmp_path) as url:
            return await asyncio.gather(*(play(f"{url}/live/{NAME}/{path}", 5) for path in PATHS))

    assert min(asyncio.run(main())) >= 120


def test_players_that_never_read_hold_up_nobody(tmp_path: Path) -> None:
    async def main() -> bytes:
        async with on_air(tmp_path) as url:
            address = urlsplit(url)
            request = f"GET /live/{NAME}/stream.ts HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
            with ExitStack() as stuck:
                for _ in range(STUCK):
                    connection = stuck.enter_context(socket.create_connection((address.hostname, address.port or 80)))
                    connection.sendall(request)
                received = b""
                async with (
                    httpx.AsyncClient() as client,
                    client.stream("GET", f"{url}/live/{NAME}/stream.ts") as answer,
                ):
                    async for data in answer.aiter_bytes():
                        received += data
                        if len(received) > 400_000:
                            break
                return received

    received = asyncio.run(main())
    packets = read_packets(received[: len(received) // 188 * 188])
    check_counters(packets)
    times = [pes.dts for pes in read_pes(packets, 0x100)[:-1]]
    assert {after - before for before, after in pairwise(times)} == {3600}
