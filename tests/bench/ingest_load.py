"""``make bench-ingest``: what copied pushes cost a whole gateway, ffmpeg and the swarm's coding and signing included.

One push of 6 Mbit/s, then twenty of 1 Mbit/s at once. A film with a constant bitrate is made first and pushed by ffmpeg
as MPEG-TS, without encoding. ``signed`` is from the capture of a piece's first frame, which for a push is its arrival,
to the signed piece: the piece's own length, and what the ingest adds. Film and pushers have sound as it comes: else
ffmpeg saves up a quarter of a second of it, for which the picture would wait. Pushers are not counted. The last line is
one JSON object.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.app import Gateway
from gateway.commands.serve import running_gateway
from gateway.ingest.ffmpeg import Ffmpeg, find_ffmpeg
from gateway.settings import load_settings
from swarm.pieces import SignedPiece
from tests.bench.gateway_load import cpu_s

PART_S = 0.2
SETTLE_S = 6.0
FILM_S = 20
AIMED_S = PART_S + 0.06
LATE_S = 2 * PART_S
"""A piece that is signed later than this after its first frame is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What so many pushes of one rate cost and how late they were: cores, seconds from first frame to signed piece."""

    pushes: int
    rate_bps: int
    cores: float
    cores_python: float
    cores_ffmpeg: float
    pieces: int
    pieces_due: int
    signed_p50_s: float
    signed_p95_s: float
    signed_worst_s: float
    late: int


@contextmanager
def signed_times(gateway: Gateway) -> Iterator[list[tuple[float, float]]]:
    """When each piece was signed, and how long after its capture."""
    publish: Callable[..., SignedPiece] = gateway.membership.publish
    times: list[tuple[float, float]] = []

    def timed(*arguments: object, capture_us: int, **named: object) -> SignedPiece:
        signed = publish(*arguments, capture_us=capture_us, **named)
        now_s = time.time()
        times.append((now_s, now_s - capture_us / 1e6))
        return signed

    gateway.membership.publish = timed  # type: ignore[method-assign]
    yield times


async def make_film(tool: Ffmpeg, rate_bps: int, folder: Path) -> Path:
    """Twenty seconds at a constant bitrate, a key frame every second, sound beside."""
    path, rate = folder / f"{rate_bps}.mkv", str(rate_bps - 130_000)
    size = "1280x720" if rate_bps > 2_000_000 else "640x360"
    coding = f"-c:v libx264 -preset ultrafast -g 25 -sc_threshold 0 -bf 0 -b:v {rate} -minrate {rate} -maxrate {rate} "
    coding += f"-bufsize {rate} -x264-params nal-hrd=cbr -c:a aac -b:a 96k -t {FILM_S} -f matroska"
    inputs = f"-f lavfi -i testsrc2=s={size}:r=25 -f lavfi -i sine=sample_rate=48000"
    making = await asyncio.create_subprocess_exec(
        tool.path, *f"-v error -nostdin -y {inputs} {coding}".split(), str(path)
    )
    assert await making.wait() == 0
    return path


async def measure(tool: Ffmpeg, pushes: int, rate_bps: int, seconds: float) -> Load:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = await make_film(tool, rate_bps, folder)
        settings = load_settings(port=0, data_dir=folder / "data", swarm_host="127.0.0.1", log_level="error")
        async with running_gateway(settings, asyncio.Event()) as (gateway, url):
            with signed_times(gateway) as times:
                pushers = []
                for number in range(pushes):
                    key = gateway.keys.add(f"push {number}").key
                    words = f"-v quiet -nostdin -re -stream_loop -1 -i {film} -c copy -f mpegts "
                    words += f"-muxdelay 0 -pes_payload_size 0 -flush_packets 1 {url}/ingest/{key}"
                    pushers.append(await asyncio.create_subprocess_exec(tool.path, *words.split()))
                    await asyncio.sleep(1 / pushes)
                await asyncio.sleep(SETTLE_S)
                load = await _watch(times, [pusher.pid for pusher in pushers], pushes, rate_bps, seconds)
                for pusher in pushers:
                    pusher.kill()
                    await pusher.wait()
                return load


async def _watch(
    times: list[tuple[float, float]], pushers: list[int], pushes: int, rate_bps: int, seconds: float
) -> Load:
    began_s, mine_s, theirs = time.time(), cpu_s(os.getpid()), _ffmpegs(pushers)
    await asyncio.sleep(seconds)
    lasted_s = time.time() - began_s
    python_s = cpu_s(os.getpid()) - mine_s
    ffmpeg_s = sum(now - theirs.get(pid, 0.0) for pid, now in _ffmpegs(pushers).items())
    signed = sorted(after_s for at_s, after_s in times if at_s >= began_s)
    return Load(
        pushes=pushes,
        rate_bps=rate_bps,
        cores=(python_s + ffmpeg_s) / lasted_s,
        cores_python=python_s / lasted_s,
        cores_ffmpeg=ffmpeg_s / lasted_s,
        pieces=len(signed),
        pieces_due=int(pushes * seconds / PART_S),
        signed_p50_s=statistics.median(signed),
        signed_p95_s=signed[int(0.95 * len(signed))],
        signed_worst_s=signed[-1],
        late=sum(after_s > LATE_S for after_s in signed),
    )


def _ffmpegs(pushers: list[int]) -> dict[int, float]:
    """The processor time of each of the gateway's own ffmpegs, which are this process's other children."""
    children = (
        int(pid)
        for task in Path(f"/proc/{os.getpid()}/task").iterdir()
        for pid in (task / "children").read_text().split()
    )
    return {pid: cpu_s(pid) for pid in children if pid not in pushers}


async def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    options = parser.parse_args()
    tool = find_ffmpeg()
    figures: dict[str, float] = {"signed_p95_wanted_s": AIMED_S}
    for name, pushes, rate_bps in (("one", 1, 6_000_000), ("twenty", 20, 1_000_000)):
        load = await measure(tool, pushes, rate_bps, options.seconds)
        for key, value in asdict(load).items():
            print(
                f"{name + ' ' + key:>24}  {value:.3f}"
                if isinstance(value, float)
                else f"{name + ' ' + key:>24}  {value}"
            )
            figures[f"{name}_{key}"] = value
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main())
