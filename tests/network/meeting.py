"""Who meets whom: real peers behind all kinds of NATs.

A broadcaster and one helper stand open in the net, and everybody else comes by the broadcaster's link, from behind
NATs and firewalls, over lines of 60 ms from house to house and 10/5 Mbit/s. Printed: for each house when it had its
first piece and who feeds it, and for each pair whether it found a link, after how long, and whether it could have.
"""

import argparse
import asyncio
import shutil
import tempfile
import time
from contextlib import ExitStack
from itertools import combinations
from pathlib import Path

from swarm.link import stream_target
from tests.network.moving import MOVER, OTHER, give_second_cable, move
from tests.network.peers import Process, start, until
from tests.network.servers import DHT_HOUSES, EVERYWHERE, TRACKER, dht, opentracker
from tests.network.sites import Bed, Nat, Site, site_of
from tests.network.source import HELPER, SOURCE, on_air, stream_of

VIEWERS = [
    Site(name="cone-1", number=3, nat=Nat.PRESERVING),
    Site(name="cone-2", number=4, nat=Nat.PRESERVING),
    Site(name="symmetric-1", number=5, nat=Nat.RANDOM),
    Site(name="symmetric-2", number=6, nat=Nat.RANDOM),
    Site(name="carrier", number=7, nat=Nat.PRESERVING, carrier=True),
    Site(name="v6-only", number=8, v4=False, v6=True, guarded=True),
    Site(name="dual-1", number=9, nat=Nat.RANDOM, v6=True, guarded=True),
    Site(name="dual-2", number=10, nat=Nat.PRESERVING, v6=True, guarded=True),
    Site(name="mapped", number=14, nat=Nat.RANDOM, opens_ports=True),
    Site(name="no-udp", number=11, nat=Nat.PRESERVING, udp=False),
    MOVER,
    OTHER,
]
APART_S = 0.5
STARTED_S = 60.0
"""Python takes its time to begin, where others use the machine too."""


def links_of(process: Process, sites: list[Site]) -> dict[str, float]:
    """The houses with which a process has had a link, and since when, in seconds after its start."""
    found: dict[str, float] = {}
    for at_s, report in process.reports:
        for neighbour in report.neighbours:
            site = site_of(sites, neighbour.address.rpartition(":")[0].strip("[]"))
            if site is not None and site.name != process.name:
                found.setdefault(site.name, at_s)
    return found


def parents_of(process: Process, sites: list[Site]) -> dict[str, int]:
    """The houses that feed a process now, with the number of stripes; those that dialled it have a star."""
    found = {}
    for neighbour in process.report.neighbours if process.report is not None else ():
        site = site_of(sites, neighbour.address.rpartition(":")[0].strip("[]"))
        if site is not None and neighbour.stripes_from:
            found[site.name + ("" if neighbour.dialled else "*")] = neighbour.stripes_from
    return found


async def watch(sites: list[Site], seconds: float, *, finders: bool = False) -> dict[str, object]:
    """Let everybody watch until all is as it can be, or the time is up; what was seen. The first is the source.

    ``finders``: all look for each other by a tracker, the DHT and in their LANs too, as they do by themselves. With the
    mover among the houses, it moves at the end.
    """
    settings = {**EVERYWHERE, "SEEDCAST_LAN": "true"} if finders else {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bed = stack.enter_context(Bed([*sites, *([TRACKER, *DHT_HOUSES] if finders else [])]))
        if finders:
            stack.enter_context(opentracker(bed, folder / "tracker", stream_target(stream_of(folder))))
            stack.enter_context(dht(bed))
        processes: list[Process] = []
        news = asyncio.Event()
        try:
            processes.append(await on_air(bed, folder, news, settings=settings))
            assert processes[0].report is not None
            link = processes[0].report.link
            houses = [site for site in sites if site not in {MOVER, OTHER}]
            if MOVER in sites:
                give_second_cable(bed)
            for site in houses[1:]:
                host = bed.hosts[site.name]
                processes.append(await start(site.name, host, folder, ["relay", link], news=news, settings=settings))
                await asyncio.sleep(APART_S)
            await until(lambda: all(process.report for process in processes), STARTED_S, news)
            await until(lambda: _is_done(houses, processes), seconds, news)
            figures = _figures(houses, processes, link)
            return {**figures, **({"move": await move(bed, link, news)} if MOVER in sites else {})}
        finally:
            await asyncio.gather(*(process.stop() for process in processes))


def _is_done(sites: list[Site], processes: list[Process]) -> bool:
    """Everybody who can is fed, and each pair that can has a link."""
    met = _met(sites, processes)
    fed = all(process.pieces for site, process in zip(sites, processes, strict=True) if site.udp)
    return fed and all(met[pair] is not None for pair in met if pair[0].can_reach(pair[1]))


def _met(sites: list[Site], processes: list[Process]) -> dict[tuple[Site, Site], float | None]:
    """When each pair had a link, in seconds after the later one's start; None: never."""
    had = {process.name: links_of(process, sites) for process in processes}
    met = {}
    for one, other in combinations(sites, 2):
        times = [had[other.name].get(one.name), had[one.name].get(other.name)]
        began = {process.name: process.began_s for process in processes}
        if times[0] is None and times[1] is not None:
            times[0] = times[1] + began[one.name] - began[other.name]
        met[one, other] = times[0]
    return met


def _figures(sites: list[Site], processes: list[Process], link: str) -> dict[str, object]:
    print(f"link: {link}\n")
    houses = {}
    for site, process in zip(sites[1:], processes[1:], strict=True):
        first_s = process.report.first_piece_s if process.report is not None else None
        parents = parents_of(process, sites)
        houses[site.name] = {"first_piece_s": first_s, "pieces": process.pieces, "parents": parents}
        fed = ", ".join(f"{name} {count}" for name, count in parents.items()) or "nobody"
        print(f"{site.name:>12}  first piece {_seconds(first_s)}, {process.pieces:4} pieces, fed by {fed}")
    print("\nstripes from a house with a star come over a link that it opened\n")
    pairs = []
    for (one, other), at_s in _met(sites, processes).items():
        can = one.can_reach(other)
        pairs.append({"one": one.name, "other": other.name, "can": can, "linked_s": at_s})
        if at_s is not None or can:
            print(f"{one.name:>12} - {other.name:<12} {_seconds(at_s)}{'' if can else ' (though it cannot)'}")
    possible = [pair for pair in pairs if pair["can"]]
    direct = sum(pair["linked_s"] is not None for pair in possible)
    fed_count = sum(process.pieces > 0 for process in processes[1:])
    return {
        "houses": houses,
        "pairs": pairs,
        "pairs_possible": len(possible),
        "pairs_direct": direct,
        "fed": fed_count,
        "fed_possible": sum(site.udp for site in sites[1:]),
    }


def _seconds(value_s: float | None) -> str:
    return "  never" if value_s is None else f"{value_s:5.1f} s"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default="", help="viewers' houses, by name, parted by commas")
    parser.add_argument("--no-helper", action="store_true", help="let nobody but the broadcaster stand open")
    parser.add_argument("--finders", action="store_true", help="let all search by a tracker, the DHT and in LANs too")
    parser.add_argument("--seconds", type=float, default=40.0, help="most to wait for all links")


def run(options: argparse.Namespace) -> dict[str, object]:
    """Build the houses, and look."""
    chosen = options.only.split(",") if options.only else [site.name for site in VIEWERS]
    if shutil.which("miniupnpd") is None and "mapped" in chosen:
        chosen.remove("mapped")
        print("left out: mapped, for want of miniupnpd (apt install miniupnpd-nftables)")
    open_ones = [SOURCE] if options.no_helper else [SOURCE, HELPER]
    sites = [*open_ones, *(site for site in VIEWERS if site.name in chosen)]
    began_s = time.monotonic()
    figures = asyncio.run(watch(sites, options.seconds, finders=options.finders))
    return {**figures, "seconds": round(time.monotonic() - began_s, 1)}
