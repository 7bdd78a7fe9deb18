"""``make bench-swarm``: real nodes with real QUIC sockets on this machine, packed into a few processes.

A source signs random pieces at the given bitrate; every viewer notes when each piece is whole. Half-way some viewers
are killed with SIGKILL. Printed: delay from signing to completion, what arrived in time, the source's upload as a
multiple of the payload, CPU and memory; and as the baseline of the same run the same pieces from one server to all
viewers over plain TCP, which has no coding, no signatures, no encryption, no peers, and a server that pays for all of
it. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import sys
import time

import uvloop

from swarm.drivers.quic import QuicDriver
from swarm.events import News, PieceReady
from swarm.identity import Identity
from swarm.link import Link, format_link, parse_link
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.settings import NodeSettings
from swarm.units import StreamId

PIECE_S = 0.2
SETTLE_S = 4.0
"""Pieces published before everybody has joined and stripes are laid are left out of the figures."""

TAIL_S = 2.5
KEY_EVERY = 5
BASELINE_S = 5.0


def _node(identity: Identity) -> Node:
    now = asyncio.get_running_loop().time()
    return Node(
        identity=identity,
        settings=NodeSettings(),
        rng=random.Random(identity.key),
        wall_offset_s=time.time() - now,
        now=now,
    )


async def _source(options: argparse.Namespace) -> None:
    """Publish until stdin closes; print the link first, and at the end when each piece was signed."""
    owner, identity = Identity(os.urandom(32)), Identity(os.urandom(32))
    stream = StreamId(owner.key)
    driver = QuicDriver(_node(identity), identity, lambda news: None, host="127.0.0.1")
    address = await driver.start()
    rendition = RenditionInfo(
        number=0,
        name="main",
        bitrate_bps=options.bitrate,
        piece_us=int(PIECE_S * 1e6),
        k=options.k,
        n=options.n,
        media=b"",
    )
    driver.run(lambda node, now: node.broadcast(owner, title="bench", epoch=1, renditions=(rendition,), now=now))
    print(format_link(Link(stream, "bench", (address,))), flush=True)
    stop = _stdin_closed()
    signed: dict[int, float] = {}
    loop, size = asyncio.get_running_loop(), int(options.bitrate * PIECE_S / 8)
    start_s = loop.time()
    while not stop.is_set():
        number = len(signed) + 1
        await asyncio.sleep(max(0.0, start_s + number * PIECE_S - loop.time()))
        payload = os.urandom(size)
        signed[number] = time.time()
        driver.run(
            lambda node, now, number=number, payload=payload: node.publish(
                stream, 0, payload, number=number, key=number % KEY_EVERY == 0,
                capture_us=int((time.time() - PIECE_S) * 1e6), duration_us=int(PIECE_S * 1e6), now=now,
            )
        )  # fmt: skip
    status = driver.run(lambda node, now: node.status(stream))
    assert status is not None
    _finish({"signed": signed, "bytes_out": status.bytes_out, "payload_bytes": status.payload_bytes})
    await driver.stop()


async def _viewers(options: argparse.Namespace) -> None:
    """Watch with ``count`` nodes until stdin closes, then print when each piece was whole at each node."""
    link = parse_link(options.link)
    whole: list[dict[int, float]] = [{} for _ in range(options.count)]
    drivers = []
    for at in range(options.count):

        def hear(news: News, at: int = at) -> None:
            if isinstance(news, PieceReady):
                whole[at].setdefault(news.number, time.time())

        identity = Identity(os.urandom(32))
        driver = QuicDriver(_node(identity), identity, hear, host="127.0.0.1")
        await driver.start()
        drivers.append(driver)
        driver.run(lambda node, now: node.join(link.stream, 0, link.peers, now))
        await asyncio.sleep(options.stagger)
    print("joined", flush=True)
    await _stdin_closed().wait()
    _finish({"whole": whole})
    for driver in drivers:
        await driver.stop()


def _stdin_closed() -> asyncio.Event:
    closed, loop = asyncio.Event(), asyncio.get_running_loop()

    def look() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            closed.set()

    loop.add_reader(0, look)
    return closed


def _finish(figures: dict[str, object]) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures |= {"cpu_s": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024}
    print(json.dumps(figures), flush=True)


async def _plain_tcp(viewers: int, bitrate_bps: int) -> tuple[float, float]:
    """The baseline: the same pieces from one server to all viewers. Cores used, and 99th percentile of the delay."""
    size, sent_s, delays_s = int(bitrate_bps * PIECE_S / 8), {}, []
    pieces = int(BASELINE_S / PIECE_S)
    writers: list[asyncio.StreamWriter] = []
    complete = asyncio.Event()

    def welcome(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if len(writers) == viewers:
            complete.set()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def view() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4 * size)
        for number in range(pieces):
            await reader.readexactly(size)
            delays_s.append(time.monotonic() - sent_s[number])
        writer.close()
        await writer.wait_closed()

    tasks = [asyncio.create_task(view()) for _ in range(viewers)]
    await complete.wait()
    cpu_s = time.process_time()
    for number in range(pieces):
        payload, sent_s[number] = os.urandom(size), time.monotonic()
        for writer in writers:
            writer.write(payload)
        await asyncio.sleep(PIECE_S)
    await asyncio.gather(*tasks)
    cpu_s = time.process_time() - cpu_s
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return cpu_s / BASELINE_S, _at(sorted(delays_s), 0.99)


async def _spawn(role: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.swarm", "--role", role, *words,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 28,
    )  # fmt: skip


async def _end(process: asyncio.subprocess.Process) -> dict[str, object]:
    assert process.stdin is not None
    process.stdin.close()
    out, _ = await process.communicate()
    return dict(json.loads(out.splitlines()[-1]))


async def _run(options: argparse.Namespace) -> None:
    baseline = await _plain_tcp(options.viewers, options.bitrate)
    coding = ("--bitrate", str(options.bitrate), "--k", str(options.k), "--n", str(options.n))
    source = await _spawn("source", *coding)
    assert source.stdout is not None
    link = (await source.stdout.readline()).decode().strip()
    per = -(-options.viewers // options.processes)
    counts = [min(per, options.viewers - at) for at in range(0, options.viewers, per)]
    groups = [
        await _spawn("viewers", "--link", link, "--count", str(count), "--stagger", str(options.stagger))
        for count in counts
    ]
    for group in groups:
        assert group.stdout is not None
        await group.stdout.readline()
    joined_s = time.time()
    await asyncio.sleep(SETTLE_S + options.seconds / 2)
    killed_s = time.time()
    victims = groups[: options.kill]
    for victim in victims:
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
    await asyncio.sleep(options.seconds / 2)
    viewers = [await _end(group) for group in groups[options.kill :]]
    _report(options, joined_s + SETTLE_S, killed_s, await _end(source), viewers, baseline)


def _report(
    options: argparse.Namespace,
    from_s: float,
    killed_s: float,
    source: dict[str, object],
    viewers: list[dict[str, object]],
    baseline: tuple[float, float],
) -> None:
    signed = {int(number): at for number, at in source["signed"].items()}  # type: ignore[attr-defined]
    until_s = max(signed.values()) - TAIL_S
    whole = [w for group in viewers for w in group["whole"]]  # type: ignore[attr-defined]

    def delays(begin_s: float, end_s: float) -> list[float]:
        return sorted(
            w.get(str(n), float("inf")) - at for n, at in signed.items() if begin_s <= at < end_s for w in whole
        )

    before, after = delays(from_s, killed_s), delays(killed_s + 5, until_s)
    kill = delays(killed_s, killed_s + 5)
    cpu_s = float(source["cpu_s"]) + sum(float(v["cpu_s"]) for v in viewers)  # type: ignore[arg-type]
    rss_mb = sum(float(v["rss_mb"]) for v in viewers)  # type: ignore[arg-type]
    span_s = max(signed.values()) - min(signed.values())
    figures = {
        "viewers": options.viewers,
        "bitrate_bps": options.bitrate,
        "delay_p50_s": _at(before, 0.5),
        "delay_p99_s": _at(before, 0.99),
        "delay_max_after_kill_s": _at(kill, 1.0),
        "within_1s_after_kill": _within(kill, 1.0),
        "within_2s_before": _within(before, 2.0),
        "within_2s_after": _within(after, 2.0),
        "cpu_cores": cpu_s / span_s,
        "cpu_per_node_pct": 100 * cpu_s / span_s / max(1, len(whole) + 1),
        "rss_per_node_mb": rss_mb / max(1, len(whole)),
        "tcp_cpu_cores": baseline[0],
        "tcp_delay_p99_s": baseline[1],
        "cpu_to_tcp": cpu_s / span_s / baseline[0],
        "source_multiple": source["bytes_out"] / source["payload_bytes"],  # type: ignore[operator]
    }
    for name, value in figures.items():
        print(f"{name:>24}  {value:.4f}" if isinstance(value, float) else f"{name:>24}  {value}")
    print(json.dumps(figures))


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _within(values: list[float], limit_s: float) -> float | None:
    return sum(value <= limit_s for value in values) / len(values) if values else None


def main() -> None:
    """Parse the options and play this process's role."""
    parser = argparse.ArgumentParser(prog="make bench-swarm", description=__doc__)
    parser.add_argument("--viewers", type=int, default=6)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--kill", type=int, default=0, help="processes killed half-way")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--bitrate", type=int, default=2_000_000)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--stagger", type=float, default=0.05)
    parser.add_argument("--role", choices=("run", "source", "viewers"), default="run", help=argparse.SUPPRESS)
    parser.add_argument("--link", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    role = {"run": _run, "source": _source, "viewers": _viewers}[options.role]
    uvloop.run(role(options))


if __name__ == "__main__":
    main()
