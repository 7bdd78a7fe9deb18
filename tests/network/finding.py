"""From a pasted link to the first frame: how long it takes who has only just started, by each way of finding peers.

A broadcaster stands open in the net, with two relays behind NATs that watch already. Each viewer is a gateway with an
empty data folder and a Chromium, in a house of its own behind a port-keeping NAT, with one way of finding peers; its
link names no peer. Measured is from Enter on the start page until the first frame is on the screen. For the LAN a
second machine of the house watches already. With ``--kill`` the tracker dies while somebody watches who came by it, and
then a newcomer comes by a link to it, who has the DHT besides.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.reports import quantile
from swarm.link import Link, format_link, parse_link, stream_target
from swarm.tracker_url import parse_tracker
from tests.e2e.browser import wait_for_playback, watched
from tests.network.peers import Process, start, until
from tests.network.servers import BY_DHT, DHT_HOUSES, EVERYWHERE, TRACKER, dht, opentracker, tracker_url
from tests.network.sites import Bed, Nat, Site
from tests.network.source import SOURCE, on_air, stream_of
from tests.network.viewer import cold_gateway, paste, start_page

RELAYS = [Site(name=f"relay-{number}", number=number, nat=Nat.PRESERVING) for number in (3, 4)]
SETTLE_S = 12.0
"""Until trackers and the DHT know the broadcast."""

NEIGHBOUR_S = 5.0
RELAYING_S = 30.0
BEFORE_KILL_S, AFTER_KILL_S = 5.0, 30.0


@dataclass(frozen=True, slots=True)
class Way:
    """One way of finding peers: the viewer's settings, the trackers of its link, and whether a neighbour in its LAN
    watches already."""

    settings: Mapping[str, str]
    trackers: tuple[str, ...] = ()
    neighbour: bool = False


WAYS = {
    "tracker over UDP": Way({}, (tracker_url("udp"),)),
    "tracker over HTTP": Way({}, (tracker_url("http"),)),
    "DHT": Way(BY_DHT),
    "LAN": Way({"SEEDCAST_LAN": "true"}, neighbour=True),
}
AFTER_KILL = Way(BY_DHT, (tracker_url("udp"), tracker_url("http")))


@dataclass(frozen=True, slots=True)
class Stage:
    """A broadcast on air, and what is there to find it by."""

    bed: Bed
    folder: Path
    news: asyncio.Event
    link: Link
    relays: list[Process]
    tracker: ExitStack


def viewer_house(number: int) -> Site:
    """The house of one run; of all ways alike, since nodes of the DHT stop answering an address that asks too often."""
    return Site(name=f"viewer-{number}", number=40 + number, nat=Nat.PRESERVING, hosts=2)


@asynccontextmanager
async def broadcast(runs: int) -> AsyncIterator[Stage]:
    """All houses, with a broadcast that the tracker and the DHT know."""
    sites = [SOURCE, TRACKER, *DHT_HOUSES, *RELAYS, *(viewer_house(number) for number in range(runs))]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bed = stack.enter_context(Bed(sites))
        news = asyncio.Event()
        tracker = stack.enter_context(ExitStack())
        tracker.enter_context(opentracker(bed, folder / "tracker", stream_target(stream_of(folder))))
        stack.enter_context(dht(bed))
        source = await on_air(bed, folder, news, settings=EVERYWHERE)
        stack.push_async_callback(source.stop)
        assert source.report is not None
        link = source.report.link
        relays = []
        for site in RELAYS:
            relays.append(
                await start(site.name, bed.hosts[site.name], folder, ["relay", link], news=news, settings=EVERYWHERE)
            )
            stack.push_async_callback(relays[-1].stop)
        await _fed(relays, news)
        await asyncio.sleep(SETTLE_S)
        yield Stage(bed, folder, news, parse_link(link), relays, tracker)


async def _fed(relays: list[Process], news: asyncio.Event) -> None:
    if not await until(lambda: all(relay.pieces for relay in relays), RELAYING_S, news):
        raise RuntimeError("a relay got no pieces")


async def watch(stage: Stage, number: int, way: Way) -> float:
    """A cold viewer in a house, by one way: seconds."""
    house = viewer_house(number).name
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=stage.folder)))
        if way.neighbour:
            stack.push_async_callback((await _neighbour(stage, house, way)).stop)
        await stack.enter_async_context(cold_gateway(stage.bed.hosts[house], folder, way.settings))
        return await asyncio.to_thread(_first_frame_s, stage, house, bare(stage.link, way))


async def _neighbour(stage: Stage, house: str, way: Way) -> Process:
    """The house's second machine, once it watches."""
    words, space = ["relay", format_link(stage.link)], stage.bed.machines[house][1]
    neighbour = await start(f"{house}-2", space, stage.folder, words, news=stage.news, settings=way.settings)
    await _fed([neighbour], stage.news)
    await asyncio.sleep(NEIGHBOUR_S)
    return neighbour


def bare(link: Link, way: Way) -> str:
    """The link without any peer."""
    return format_link(replace(link, peers=(), trackers=tuple(parse_tracker(url) for url in way.trackers)))


def _first_frame_s(stage: Stage, house: str, link: str) -> float:
    with start_page(stage.bed.hosts[house], stage.folder) as page:
        return paste(page, link)


async def measure(runs: int, names: list[str]) -> dict[str, object]:
    """All ways in turn, so many times."""
    found: dict[str, list[float]] = {name: [] for name in names}
    async with broadcast(runs) as stage:
        for number in range(runs):
            for name in names:
                found[name].append(await watch(stage, number, WAYS[name]))
                print(f"{name}: {found[name][-1]:.2f} s", flush=True)
    return {name: _summary(tuple(times)) for name, times in found.items()}


async def kill(runs: int) -> dict[str, object]:
    """What it costs those who watch that the tracker dies, and how long so many newcomers take afterwards."""
    async with broadcast(1 + runs) as stage:
        lost = [_lost(relay) for relay in stage.relays]
        house = viewer_house(0).name
        async with cold_gateway(stage.bed.hosts[house], stage.folder / house, {}):
            link = bare(stage.link, WAYS["tracker over UDP"])
            stalls = await asyncio.to_thread(_stalls, stage, house, link)
        figures = {
            "stalls": stalls,
            "pieces_lost": sum(_lost(relay) for relay in stage.relays) - sum(lost),
            "longest_gap_s": max(round(relay.reports[-1][1].longest_gap_s, 2) for relay in stage.relays),
        }
        newcomers = tuple([await watch(stage, number, AFTER_KILL) for number in range(1, 1 + runs)])
        return {**figures, "newcomers": _summary(newcomers)}


def _stalls(stage: Stage, house: str, link: str) -> int:
    """How often somebody's picture stands still after the tracker's death."""
    with start_page(stage.bed.hosts[house], stage.folder) as page:
        paste(page, link)
        wait_for_playback(page, BEFORE_KILL_S)
        before = watched(page).stalls
        stage.tracker.close()
        time.sleep(AFTER_KILL_S)
        return watched(page).stalls - before


def _lost(relay: Process) -> int:
    return relay.reports[-1][1].pieces_lost


def _summary(times: tuple[float, ...]) -> dict[str, float]:
    p50_s, p95_s = (round(quantile(times, share) or 0.0, 2) for share in (0.5, 0.95))
    return {"p50_s": p50_s, "p95_s": p95_s, "least_s": round(min(times), 2), "runs": len(times)}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=10, help="cold viewers by each way, or newcomers")
    parser.add_argument("--only", choices=WAYS, action="append", help="this way alone; may be repeated")
    parser.add_argument("--kill", action="store_true", help="kill the tracker during the broadcast, nothing else")


def run(options: argparse.Namespace) -> dict[str, object]:
    """Measure, and print."""
    if options.kill:
        return asyncio.run(kill(options.runs))
    figures = asyncio.run(measure(options.runs, options.only or list(WAYS)))
    for name, figure in figures.items():
        print(f"{name:>18}  {figure}")
    return figures
