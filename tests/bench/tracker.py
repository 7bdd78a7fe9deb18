"""``make bench-tracker``: what announces cost the gateway's own tracker, and how long they take.

A whole gateway runs on one core. As many peers as announces, each from an address of its own on loopback, announce
themselves one after the other at an even rate, each over a connection of its own as BitTorrent clients do; the load is
made on another core. Latency is from the first packet of the connection to the last byte of the answer. The last line
is one JSON object.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_from_bytes

from gateway.reports import quantile
from swarm.link import Link, format_link, stream_target
from swarm.units import StreamId
from tests.bench.gateway_load import cpu_s

STREAM = StreamId(bytes(range(32)))
ANNOUNCES_A_MINUTE = 10_000
ANSWER_S = 10.0


@contextmanager
def gateway_process(core: int) -> Iterator[tuple[int, int]]:
    """Its process and port, once it answers."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["gateway", "--port", "0", "--link", format_link(Link(STREAM)), "--log-level", "error", "--with-parent"]
        closed = {"SEEDCAST_RTMP_PORT": "0", "SEEDCAST_RTMPS_PORT": "0", "SEEDCAST_SRT_PORT": "0"}
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", *words],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **closed, "SEEDCAST_DATA_DIR": folder, "SEEDCAST_SWARM_HOST": "127.0.0.1"},
        )
        try:
            os.sched_setaffinity(process.pid, {core})
            assert process.stderr is not None
            port = next(int(line.rsplit(":", 1)[1].split()[0]) for line in process.stderr if "Open http" in line)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


async def announce(port: int, number: int, event: str) -> tuple[float, bool]:
    """How long it took, and whether it was served."""
    host = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255 or 1}"
    peer_id = f"-XX0100-{number:012d}"
    query = (
        f"info_hash={quote_from_bytes(stream_target(STREAM))}&peer_id={peer_id}&port={5000 + number % 60_000}"
        f"&uploaded=0&downloaded=0&left=1&compact=1&numwant=50&event={event}"
    )
    request = f"GET /announce?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    begun_s = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
            writer.write(request)
            answer = await reader.read()
            writer.close()
    except OSError:
        return time.perf_counter() - begun_s, False
    return time.perf_counter() - begun_s, b"8:intervali" in answer


async def load(port: int, rate: float, seconds: float) -> list[tuple[float, bool]]:
    """Announces at an even rate, whatever becomes of those before."""
    loop, begun_s = asyncio.get_running_loop(), time.perf_counter()
    running = []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, begun_s + number / rate - time.perf_counter()))
        running.append(loop.create_task(announce(port, number, "started")))
    return await asyncio.gather(*running)


def memory_bytes(process: int) -> int:
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


def measure(rate: float, seconds: float) -> dict[str, float]:
    """Of one gateway under one rate."""
    cores = sorted(os.sched_getaffinity(0))
    with gateway_process(cores[0]) as (process, port):
        os.sched_setaffinity(0, {cores[-1]})
        asyncio.run(load(port, 50.0, 1.0))  # all code was used once
        memory, used_s, begun_s = memory_bytes(process), cpu_s(process), time.perf_counter()
        served = asyncio.run(load(port, rate, seconds))
        lasted_s = time.perf_counter() - begun_s
        took = tuple(took_s for took_s, _ in served)
        found = {
            "announces_a_minute": round(60 * len(served) / lasted_s),
            "announces": len(served),
            "refused": sum(not good for _, good in served),
            "p50_ms": 1000 * (quantile(took, 0.5) or 0.0),
            "p99_ms": 1000 * (quantile(took, 0.99) or 0.0),
            "worst_ms": 1000 * max(took),
            "cores": (cpu_s(process) - used_s) / lasted_s,
            "cpu_ms_each": 1000 * (cpu_s(process) - used_s) / len(served),
            "grown_mb": (memory_bytes(process) - memory) / 1e6,
        }
    os.sched_setaffinity(0, set(cores))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=ANNOUNCES_A_MINUTE, help="announces a minute")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    found = {name: round(value, 2) for name, value in measure(options.rate / 60, options.seconds).items()}
    for name, value in found.items():
        print(f"{name:20} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
