"""``make bench-swarm``: real nodes with real QUIC sockets on this machine, packed into a few processes.

A source signs random pieces at the given bitrate; every viewer notes when each piece is whole. Viewers join one after
another, at a rate that the machine carries. Half-way whole processes are killed with SIGKILL, and their viewers with
them. Printed: delay from the capture of a piece's first frame to its being whole, what came in time, the source's
upload as a multiple of the payload, processor time and memory; as the baseline of the same run, the same pieces over
plain TCP. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import math
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace

import uvloop

from gateway.coding_choice import coding_for
from swarm.link import Link, format_link, parse_link
from swarm.settings import NodeSettings
from swarm.units import Address
from tests.bench.plain_tcp import plain_tcp
from tests.bench.swarm_nodes import Figures

SETTLE_S = 12.0
"""Pieces signed before everybody has joined and stripes are laid are left out of the figures."""

AFTER_S = 5.0
"""What is signed from so long after the kill on counts as after it."""

TAIL_S = 2.5
"""Pieces of the last moments had no time to arrive."""

OTHERS_TOLD = 3
"""Viewers of whom a newcomer is told: a source that everybody comes to first has no places left."""

MANY = 100
"""From so many viewers on, pieces of ``MANY_PIECE_S`` rather than ``PIECE_S``, and a kill of a fifth."""

PIECE_S, MANY_PIECE_S = 0.2, 1.0
BITRATE_BPS, MANY_BITRATE_BPS = 2_000_000, 64_000
MANY_NEIGHBOURS = 12
"""What is a day's work for hundreds of processors is done by two here: these are what they carry."""


class Group:
    """A process with one source or many viewers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, role: str, *words: str) -> "Group":
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.swarm_nodes", role, *words,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 28,
            )
        )  # fmt: skip

    async def line(self) -> str:
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    def say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())

    async def join(self, link: Link, **settings: float | bool) -> Address:
        """Start one more viewer with these of NodeSettings; where it is."""
        self.say(f"join {json.dumps(settings, separators=(',', ':'))} {format_link(link)}")
        host, port = (await self.line()).split()
        return Address(host, int(port))

    async def mark(self) -> Figures:
        self.say("mark")
        return dict(json.loads(await self.line()))

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()

    def ask_to_end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def last_words(self) -> Figures:
        figures: Figures = json.loads(await self.line())
        await self._process.wait()
        return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """When what happened, on the wall clock, and what the processes told: the source's first."""

    from_s: float
    killed_s: float
    ended_s: float
    before: tuple[list[Figures], list[Figures]]
    after: tuple[list[Figures], list[Figures]]
    source: Figures
    viewers: list[Figures]


async def _run(options: argparse.Namespace) -> None:
    baseline = await plain_tcp(options.viewers, options.bitrate, options.piece_s)
    coding = {"bitrate": options.bitrate, "piece-s": options.piece_s, "k": options.k, "n": options.n}
    source = await Group.start("source", *(f"--{name}={value}" for name, value in coding.items()))
    link = parse_link(await source.line())
    groups = [await Group.start("viewers", *(["--count"] if options.count else [])) for _ in range(options.processes)]
    print(f"{options.viewers} viewers join, {options.join_rate:g} a second", flush=True)
    await _join_all(options, link, groups)
    course = await _watch(options, source, groups)
    figures = {
        name: value if not isinstance(value, float) or math.isfinite(value) else None
        for name, value in _figures(options, course, baseline).items()
    }
    for name, value in figures.items():
        print(f"{name:>26}  {value:.4f}" if isinstance(value, float) else f"{name:>26}  {value}")
    print(json.dumps(figures))


async def _join_all(options: argparse.Namespace, link: Link, groups: list[Group]) -> None:
    """One viewer after another, each told of the source and of a few who came before, as a tracker would."""
    here: list[Address] = []
    rng, start_s = random.Random(1), time.monotonic()
    for at in range(options.viewers):
        some = rng.sample(here, min(len(here), OTHERS_TOLD))
        told = replace(link, peers=(*some, *link.peers))
        here.append(await groups[at % len(groups)].join(told, neighbours=options.neighbours))
        await asyncio.sleep(max(0.0, start_s + (at + 1) / options.join_rate - time.monotonic()))


async def _watch(options: argparse.Namespace, source: Group, groups: list[Group]) -> Course:
    """Measure for half the time, kill, measure again, end."""
    await asyncio.sleep(SETTLE_S)
    from_s, begin = time.time(), await _mark(source, groups)
    print(f"measuring for {options.seconds:g} s; {options.kill} of {len(groups)} processes die half-way", flush=True)
    await asyncio.sleep(options.seconds / 2)
    half = await _mark(source, groups)
    killed_s, survivors = time.time(), groups[options.kill :]
    await asyncio.gather(*(victim.kill() for victim in groups[: options.kill]))
    await asyncio.sleep(AFTER_S)
    again = await _mark(source, survivors)
    await asyncio.sleep(options.seconds / 2 - AFTER_S + TAIL_S)
    end, ended_s = await _mark(source, survivors), time.time()
    for group in survivors:
        group.ask_to_end()
    viewers = [await group.last_words() for group in survivors]
    source.ask_to_end()
    return Course(
        from_s=from_s,
        killed_s=killed_s,
        ended_s=ended_s,
        before=(begin, half),
        after=(again, end),
        source=await source.last_words(),
        viewers=viewers,
    )


async def _mark(source: Group, groups: list[Group]) -> list[Figures]:
    return list(await asyncio.gather(*(group.mark() for group in (source, *groups))))


def _figures(
    options: argparse.Namespace, course: Course, baseline: tuple[float, list[float]]
) -> dict[str, float | int | None]:
    piece_s = options.piece_s
    signed = {number: float(at) for number, at in _table(course.source["signed"]).items()}
    whole = [_table(seen) for group in course.viewers for seen in _list(group["whole"])]

    def delays(begin_s: float, end_s: float) -> list[float]:
        """From the capture of the first frame; of pieces signed between these times: the swarm knows none before."""
        chosen = {number: at - piece_s for number, at in signed.items() if begin_s <= at < end_s}
        return sorted(seen.get(number, math.inf) - at for number, at in chosen.items() for seen in whole)

    before, kill = delays(course.from_s, course.killed_s), delays(course.killed_s, course.killed_s + AFTER_S)
    after = delays(course.killed_s + AFTER_S, course.ended_s - TAIL_S)
    cores, hops_per_s = _rates(course.before, course.killed_s - course.from_s)
    cores_after, _ = _rates(course.after, course.ended_s - course.killed_s - AFTER_S)
    return {
        "viewers": options.viewers,
        "bitrate_bps": options.bitrate,
        "piece_s": piece_s,
        "k": options.k,
        "n": options.n,
        "killed": options.viewers - len(whole),
        "join_p95_s": _at(sorted(_joins(course.viewers)), 0.95),
        "delay_p50_s": _at(before, 0.5),
        "delay_p99_s": _at(before, 0.99),
        "delay_max_s": _at(before, 1.0),
        "signed_p50_s": _at(before, 0.5) - piece_s,
        "signed_p99_s": _at(before, 0.99) - piece_s,
        "within_2s_before": _within(before, 2.0),
        "delay_p99_kill_s": _at(kill, 0.99),
        "delay_max_kill_s": _at(kill, 1.0),
        "within_2s_kill": _within(kill, 2.0),
        "delay_p99_after_s": _at(after, 0.99),
        "within_2s_after": _within(after, 2.0),
        "cpu_cores": cores,
        "cpu_cores_after": cores_after,
        "cpu_per_node_pct": 100 * cores / (options.viewers + 1),
        "cpu_us_per_hop": cores * 1e6 / max(1.0, hops_per_s),
        "hops_per_s": hops_per_s,
        "rss_per_node_mb": sum(_number(group["rss_mb"]) for group in course.viewers) / max(1, len(whole)),
        "source_multiple": _multiple(course.before[0][0], course.before[1][0]),
        "tcp_cpu_cores": baseline[0],
        "tcp_delay_p99_s": _at(baseline[1], 0.99) + piece_s,
        **_given(course.before, course.killed_s - course.from_s, ""),
        **_given(course.after, course.ended_s - course.killed_s - AFTER_S, "_after"),
    }


def _given(marks: tuple[list[Figures], list[Figures]], span_s: float, when: str) -> dict[str, float]:
    """What the viewers gave out in a second, by kind, if it was counted."""
    begin, end = (Counter[str](), Counter[str]())
    for total, groups in zip((begin, end), marks, strict=True):
        for group in groups:
            total.update({kind: int(count) for kind, count in _table(group.get("given", {})).items()})
    return {f"{kind}{when}_per_s": (end[kind] - begin[kind]) / span_s for kind in sorted(end)}


def _rates(marks: tuple[list[Figures], list[Figures]], span_s: float) -> tuple[float, float]:
    """Cores used, and block hops a second, between two marks."""
    grown = [
        sum(_number(group.get(name, 0)) for group in marks[1]) - sum(_number(group.get(name, 0)) for group in marks[0])
        for name in ("cpu_s", "hops")
    ]
    return grown[0] / span_s, grown[1] / span_s


def _multiple(begin: Figures, end: Figures) -> float:
    return (_number(end["bytes_out"]) - _number(begin["bytes_out"])) / max(
        1.0, _number(end["payload_bytes"]) - _number(begin["payload_bytes"])
    )


def _joins(groups: list[Figures]) -> list[float]:
    """How long each viewer waited for its first whole piece."""
    return [
        min(map(float, seen.values()), default=math.inf) - _number(joined)
        for group in groups
        for seen, joined in zip(map(_table, _list(group["whole"])), _list(group["joined"]), strict=True)
    ]


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _table(value: object) -> dict[str, float]:
    assert isinstance(value, dict)
    return value


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


def _within(values: list[float], limit_s: float) -> float | None:
    return sum(value <= limit_s for value in values) / len(values) if values else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-swarm", description=__doc__)
    parser.add_argument("--viewers", type=int, default=6)
    parser.add_argument("--processes", type=int, help="6, or 5 for many viewers")
    parser.add_argument("--neighbours", type=int, help="that each viewer looks for: as by default, or 12 for many")
    parser.add_argument("--kill", type=int, help="processes killed half-way: none, or a fifth for many viewers")
    parser.add_argument("--seconds", type=float, help="30, or 60 for many viewers; the kill is half-way")
    parser.add_argument("--bitrate", type=int, help="bit/s: 2 000 000, or 64 000 for many viewers")
    parser.add_argument("--piece-s", type=float, help="0.2, or 1.0 for many viewers")
    parser.add_argument("--k", type=int, help="as a broadcaster would choose it for the bitrate and the piece")
    parser.add_argument("--n", type=int)
    parser.add_argument("--count", action="store_true", help="tell messages and orders of viewers a second, by kind")
    parser.add_argument("--join-rate", type=float, help="viewers that join in a second: 10, or 3 if they are many")
    options = parser.parse_args()
    many = options.viewers >= MANY
    options.processes = options.processes or min(options.viewers, 5 if many else 6)
    options.neighbours = options.neighbours or (MANY_NEIGHBOURS if many else NodeSettings().neighbours)
    options.join_rate = options.join_rate or (3.0 if many else 10.0)
    options.kill = options.kill if options.kill is not None else (options.processes // 5 if many else 0)
    options.seconds = options.seconds or (60.0 if many else 30.0)
    options.bitrate = options.bitrate or (MANY_BITRATE_BPS if many else BITRATE_BPS)
    options.piece_s = options.piece_s or (MANY_PIECE_S if many else PIECE_S)
    k, n = coding_for(options.bitrate, options.piece_s)
    options.k = options.k or k
    options.n = options.n or max(n, options.k + 1)
    return options


def main() -> None:
    """Lead the processes through a run, and print what it showed."""
    options = _options()
    print(f"load before: {os.getloadavg()[0]:.2f}", flush=True)
    uvloop.run(_run(options))


if __name__ == "__main__":
    main()
