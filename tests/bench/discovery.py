"""``make bench-discovery``: how long it takes from a bare link to the first whole piece, by each way of finding peers.

A broadcaster and, for each run, a viewer that starts from nothing, over QUIC on loopback: by a gateway's tracker, by a
DHT of bare nodes, by multicast in this network, by memory. All other ways are closed. With ``--kill`` a tracker dies
while that many peers watch that have found each other there, and pieces that they lose afterwards are counted. The last
line is one JSON object; times are in seconds.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.membership import Membership
from gateway.reports import quantile
from swarm.link import Link
from tests.gateway.peer_stage import PIECE_S, STREAM, first_piece_s, on_air, peer, started
from tests.gateway.tracker_stage import gateway
from tests.swarm.discovery.dht_nodes import bare_nodes

LINK = Link(STREAM)
NODES = 12
BEFORE_S, AFTER_S = 6.0, 15.0

Options = dict[str, object]
Way = Callable[[Path], AbstractAsyncContextManager[Options]]


@asynccontextmanager
async def by_tracker(folder: Path) -> AsyncIterator[Options]:
    async with gateway(STREAM, folder / "gateway") as tracker:
        yield {"trackers": str(tracker)}


@asynccontextmanager
async def by_dht(folder: Path) -> AsyncIterator[Options]:
    async with bare_nodes([f"127.0.0.{number}" for number in range(2, 2 + NODES)]) as nodes:
        yield {"dht": True, "dht_bootstrap": ",".join(nodes[:3])}


@asynccontextmanager
async def by_lan(folder: Path) -> AsyncIterator[Options]:
    yield {"lan": True}


WAYS: dict[str, Way] = {"tracker": by_tracker, "dht": by_dht, "lan": by_lan}


async def measure(way: Way, runs: int) -> tuple[float, ...]:
    """A viewer after the other, each with a new folder. In the DHT each has an address of its own: nodes stop answering
    an address that asks too often."""
    spread = way is by_dht
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with way(folder) as options:
            source = peer(1, folder, swarm_host=_host(1, spread=spread), **options)
            async with started(source), on_air(source):
                await asyncio.sleep(BEFORE_S)
                for number in range(2, 2 + runs):
                    viewer = peer(number, folder, swarm_host=_host(number, spread=spread), **options)
                    async with started(viewer):
                        found.append(await first_piece_s(viewer, LINK))
    return tuple(found)


def _host(number: int, *, spread: bool) -> str:
    return f"127.0.1.{number}" if spread else "127.0.0.1"


async def kill(viewers: int) -> dict[str, object]:
    """What it costs that the tracker dies, and how long a newcomer takes then, who has the DHT alone."""
    async with AsyncExitStack() as stack, AsyncExitStack() as tracker:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        named = await tracker.enter_async_context(by_tracker(folder))
        dht = await stack.enter_async_context(by_dht(folder))
        # All that the tracker knows have one address, and the DHT's nodes stop answering one that asks too often.
        source = peer(1, folder, **named, **dht)
        watching = [peer(number, folder, **named) for number in range(2, viewers + 2)]
        newcomer = peer(viewers + 2, folder, swarm_host="127.0.1.99", **named, **dht)
        await stack.enter_async_context(started(source, *watching, newcomer))
        await stack.enter_async_context(on_air(source))
        for viewer in watching:
            await first_piece_s(viewer, LINK)
        await asyncio.sleep(BEFORE_S)
        before = [_pieces(viewer) for viewer in watching]
        await tracker.aclose()
        await asyncio.sleep(AFTER_S)
        after = [_pieces(viewer) for viewer in watching]
        return {
            "viewers": viewers,
            "pieces_least": min(now[0] - then[0] for now, then in zip(after, before, strict=True)),
            "pieces_sent": round(AFTER_S / PIECE_S),
            "pieces_lost": sum(now[1] - then[1] for now, then in zip(after, before, strict=True)),
            "newcomer_s": round(await first_piece_s(newcomer, LINK), 2),
        }


def _pieces(viewer: Membership) -> tuple[int, int]:
    status = viewer.status(STREAM, 0)
    assert status is not None
    return status.pieces_ready, status.pieces_lost


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def main() -> None:
    """Read options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="viewers by each way")
    parser.add_argument("--only", choices=WAYS, help="this way alone")
    parser.add_argument(
        "--kill", type=int, default=0, metavar="N", help="kill the tracker of so many viewers, nothing else"
    )
    options = parser.parse_args()
    if options.kill:
        print(json.dumps(asyncio.run(kill(options.kill))))
        return
    report = {}
    for name, way in WAYS.items():
        if options.only in {None, name}:
            found = asyncio.run(measure(way, options.runs))
            report[name] = {"p50_s": rounded(quantile(found, 0.5)), "p95_s": rounded(quantile(found, 0.95))}
            print(f"{name}: {' '.join(f'{seconds:.2f}' for seconds in found)}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
