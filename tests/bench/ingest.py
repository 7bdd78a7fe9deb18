"""Every way to push, by the real ffmpeg into a real gateway: how soon the first piece is on air, and what is survived.

``python -m tests.bench.ingest [NAME ...]``. A row for each source and protocol; the last line is one JSON object.
``first`` counts from the pusher's start to the first piece, its own start and encoder included; ``delay`` is from the
clock in the picture's place, the piece's capture, to its being signed; ``restarts`` are pushers killed and started anew
after which the stream went on under growing numbers.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass

import uvicorn
from fastapi import FastAPI

from gateway.commands.ingest_ports import bind
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import Ffmpeg, find_ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.rtmp import RtmpPort
from gateway.ingest.srt import SrtPort
from gateway.ingest.upload import Uploads
from gateway.problems import install
from gateway.routes.ingest import ingest_router
from gateway.serving import listen
from tests.gateway.ingest.streams import Listener

RESTARTS = 2
WAIT_S = 20.0
PIECES_A_RUN = 10

SOURCE = (
    "-v quiet -nostdin -re -f lavfi -i testsrc2=s=640x360:r=25 -re -f lavfi -i sine=sample_rate=48000 "
    "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p -b:v 1M -c:a aac -flush_packets 1"
)
CMAF = "-f mp4 -movflags +cmaf+frag_every_frame+empty_moov+default_base_moof+separate_moof"
PUSHES = {
    "TS, HTTP POST": "-f mpegts -muxdelay 0 {http}",
    "TS, HTTP PUT": "-f mpegts -muxdelay 0 -method PUT {http}",
    "FLV, HTTP POST": "-f flv {http}",
    "CMAF, HTTP POST": CMAF + " {http}",
    "CMAF tracks, POST": f"-map 0:v {CMAF} {{http}}/Streams(video.cmfv) -map 1:a -c:a aac -flush_packets 1 {CMAF} "
    "{http}/Streams(audio.cmfa)",
    "DASH, PUT": "-f dash -ldash 1 -streaming 1 -seg_duration 1 -frag_duration 0.2 -method PUT {http}/manifest.mpd",
    "HLS of TS, PUT": "-f hls -hls_time 1 -method PUT -http_persistent 1 {http}/index.m3u8",
    "HLS of MP4, PUT": "-f hls -hls_time 1 -hls_segment_type fmp4 -method PUT {http}/index.m3u8",
    "RTMP": "-f flv {rtmp}",
    "SRT, passphrase": "-f mpegts -muxdelay 0 {srt}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to push. Seconds; ``first_s`` is None when nothing came on air."""

    push: str
    started: bool
    first_s: float | None = None
    delay_p50_s: float | None = None
    codecs: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """A gateway's ingest on loopback, with one key."""

    listener: Listener
    addresses: dict[str, str]


@asynccontextmanager
async def open_site(tool: Ffmpeg) -> AsyncIterator[Site]:
    keys, listener = IngestKeys(), Listener()
    key = keys.add("studio").key
    desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
    uploads = Uploads(desk)
    app = FastAPI()
    install(app)
    app.include_router(ingest_router(desk, uploads))
    web, rtmp = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    with closing(web), closing(rtmp), closing(bind("127.0.0.1", 0)) as srt:
        addresses = {
            "http": f"http://127.0.0.1:{web.getsockname()[1]}/ingest/{key}",
            "rtmp": f"rtmp://127.0.0.1:{rtmp.getsockname()[1]}/live/{key}",
            "srt": f"srt://127.0.0.1:{srt.getsockname()[1]}?streamid=studio&passphrase={key}",
        }
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[web]))
        async with RtmpPort(desk).serving(rtmp), SrtPort(desk).serving(srt):
            yield Site(listener, addresses)
        await uploads.close()
        server.should_exit = True
        await serving
        desk.close()


async def run_once(site: Site, tool: Ffmpeg, push: str) -> float | None:
    """Push until enough is on air, then kill the pusher. The seconds to the first new piece."""
    before = len(site.listener.pieces)
    arguments = [word.format(**site.addresses) for word in f"{SOURCE} {PUSHES[push]}".split()]
    began_s = time.monotonic()
    pusher = await asyncio.create_subprocess_exec(tool.path, *arguments)
    try:
        async with asyncio.timeout(WAIT_S):
            await site.listener.until_pieces(before + 1)
            first_s = time.monotonic() - began_s
            await site.listener.until_pieces(before + PIECES_A_RUN)
    except TimeoutError:
        return None
    else:
        return first_s
    finally:
        if pusher.returncode is None:
            pusher.kill()
        await pusher.wait()


async def measure(tool: Ffmpeg, push: str) -> Row:
    async with open_site(tool) as site:
        first_s = await run_once(site, tool, push)
        if first_s is None:
            return Row(push=push, started=False)
        listener = site.listener
        survived = 0
        for _ in range(RESTARTS):
            survived += await run_once(site, tool, push) is not None
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "the stream has a hole"
        pairs = zip(listener.pieces, listener.came_us, strict=True)
        delays = [(came_us - piece.capture_us - piece.duration_us) / 1e6 for piece, came_us in pairs]
        return Row(
            push=push,
            started=True,
            first_s=round(first_s, 2),
            delay_p50_s=round(statistics.median(delays), 3),
            codecs=" ".join(track.codec for track in listener.init.tracks),
            restarts=survived,
        )


async def main(names: list[str]) -> None:
    tool = find_ffmpeg()
    rows = []
    print(f"{'push':20} {'started':8} {'first s':>8} {'delay s':>8} {'codecs':24} restarts")
    for push in PUSHES:
        if names and not any(name.lower() in push.lower() for name in names):
            continue
        row = await measure(tool, push)
        rows.append(row)
        first, delay = (f"{value:8.2f}" if value is not None else " " * 8 for value in (row.first_s, row.delay_p50_s))
        print(
            f"{row.push:20} {'yes' if row.started else 'NO':8} {first} {delay} {row.codecs:24} "
            f"{row.restarts}/{RESTARTS}",
            flush=True,
        )
    print(json.dumps({"restarts_tried": RESTARTS, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
