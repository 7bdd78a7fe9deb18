"""DASH as ffmpeg plays it: a gateway on a real socket, fed in real time."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from gateway.app import Gateway
from gateway.commands.serve import running_gateway
from gateway.ingest.slicer import SlicedPiece
from gateway.media.payload import PieceSlice, pack
from gateway.on_air import OnAir
from gateway.settings import Settings
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.units import StreamId
from tests.conftest import need_ffmpeg, need_ffprobe
from tests.gateway.media_fixture import PIECE_US, slices, stream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

OWNER = Identity(b"owner".ljust(32, b"."))
NAME = stream_name(StreamId(OWNER.key))
SECONDS = 30
NS = "{urn:mpeg:dash:schema:mpd:2011}"


def put(on_air: OnAir, number: int, content: PieceSlice, start_us: int) -> None:
    on_air.piece(
        SlicedPiece(
            number=number + 1,
            epoch=7,
            key=content.index == 0,
            capture_us=start_us + number * PIECE_US,
            duration_us=PIECE_US,
            payloads=(pack(content),),
        )
    )


@asynccontextmanager
async def on_air(folder: Path, *, ready: int) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway that broadcasts: ``ready`` pieces at once, the others each when it is due."""
    settings = Settings.model_validate({"port": 0, "swarm_host": "127.0.0.1", "data_dir": folder})
    pieces = slices(stream(seconds=SECONDS))
    async with running_gateway(settings, asyncio.Event()) as (gateway, url):
        broadcast = gateway.studio.open(OWNER, "Tom & Jerry <live>", lambda: 500_000)
        broadcast.description(7, stream(seconds=SECONDS).renditions)
        start_us = int(time.time() * 1e6) - ready * PIECE_US

        async def play() -> None:
            for number, content in enumerate(pieces):
                due_s = (start_us + (number + 1) * PIECE_US) / 1e6 - time.time()
                if due_s > 0:
                    await asyncio.sleep(due_s)
                put(broadcast, number, content, start_us)
            broadcast.ended()

        playing = asyncio.create_task(play())
        try:
            yield gateway, f"{url}/live/{NAME}"
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def run(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out


def test_ffprobe_finds_picture_and_sound_in_a_live_manifest(tmp_path: Path) -> None:
    async def main() -> bytes:
        async with on_air(tmp_path, ready=30) as (_, url):
            shown = "stream=codec_name,width,height,sample_rate,r_frame_rate:stream_tags=language"
            return await run(
                need_ffprobe(), "-v", "error", "-of", "json", "-show_entries", shown, f"{url}/manifest.mpd"
            )

    streams = {stream["codec_name"]: stream for stream in json.loads(asyncio.run(main()))["streams"]}
    assert set(streams) == {"h264", "aac"}
    assert (streams["h264"]["width"], streams["h264"]["height"]) == (320, 180)
    assert streams["h264"]["r_frame_rate"] == "25/1"
    assert streams["aac"]["sample_rate"] == "48000"


def test_ffmpeg_plays_a_live_manifest_without_a_hole(tmp_path: Path) -> None:
    played = tmp_path / "played.mp4"

    async def main() -> None:
        async with on_air(tmp_path, ready=30) as (_, url):
            source = f"{url}/manifest.mpd"
            await run(need_ffmpeg(), "-v", "error", "-i", source, "-t", "6", "-c", "copy", str(played))

    asyncio.run(main())
    probe = (need_ffprobe(), "-v", "error", "-of", "json", "-show_entries", "packet=codec_type,dts_time", str(played))
    packets = json.loads(asyncio.run(run(*probe)))["packets"]
    for kind, usual_s in (("video", 0.04), ("audio", 1024 / 48000)):
        times = [float(packet["dts_time"]) for packet in packets if packet["codec_type"] == kind]
        steps = [later - earlier for earlier, later in pairwise(times)]
        assert sum(steps) > 5
        assert max(steps) < 1.5 * usual_s, kind


def test_a_growing_segment_comes_part_by_part_over_a_socket(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            on_air(tmp_path, ready=30) as (gateway, url),
            httpx.AsyncClient(timeout=20, trust_env=False) as client,
        ):
            window = await gateway.channels.watch(NAME)
            mpd = ET.fromstring((await client.get(f"{url}/manifest.mpd")).text)
            template = mpd.find(f".//{NS}SegmentTemplate")
            assert template is not None
            newest, _ = window.hint
            path = template.attrib["media"].replace("$Number$", str(newest + 1))
            async with client.stream("GET", f"{url}/{path}") as answer:
                assert answer.headers["transfer-encoding"] == "chunked"
                chunks = [chunk async for chunk in answer.aiter_raw()]
            assert len(chunks) >= 5
            assert b"".join(chunks) == b"".join(window.segment(newest + 1, 1))

    asyncio.run(main())
