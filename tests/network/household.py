"""What comes into a house from outside where several gateways watch one stream in one LAN.

Beside the broadcaster and a helper, which stand open, two houses behind port-keeping NATs: in one a single viewer, in
the other several, who find each other in their network alone. Counted are the bytes of IP on each house's line while
the swarm is settled, as multiples of the stream's payload in that time.
"""

import argparse
import asyncio
import subprocess
import tempfile
from pathlib import Path

from tests.network.peers import Process, start, until
from tests.network.sites import Bed, Carried, Nat, Site
from tests.network.source import HELPER, SOURCE, on_air

BITRATES_BPS = (2_000_000, 500_000)
"""Of the picture; the sound takes 64 kbit/s."""

FILM_S = 60
NOISE = "testsrc2=size=640x360:rate=25,noise=alls=60:allf=t"
"""A picture that fills any bitrate, which the test picture does not."""

APART_S = 1.0
FIRST_S = 30.0
SINGLE = Site(name="single", number=3, nat=Nat.PRESERVING)
HOUSES = ("single", "shared")
LAN = "192.168.1."
BY_LAN = {"SEEDCAST_LAN": "true"}
"""Everything that tests start looks for nobody unless it is told to."""


def shared(gateways: int) -> Site:
    """The house of several."""
    return Site(name="shared", number=4, nat=Nat.PRESERVING, hosts=gateways)


async def measure(gateways: int, bitrate_bps: int, settle_s: float, seconds: float) -> dict[str, object]:
    """One broadcast: the multiples of both houses."""
    sites = [SOURCE, HELPER, SINGLE, shared(gateways)]
    with Bed(sites) as bed, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        news = asyncio.Event()
        processes: list[Process] = []
        try:
            film = await asyncio.to_thread(_film, folder, bitrate_bps)
            processes.append(await on_air(bed, folder, news, [str(film), "--loop"]))
            assert processes[0].report is not None
            link = processes[0].report.link
            for site in sites[1:]:
                for number, machine in enumerate(bed.machines[site.name]):
                    called = f"{site.name}-{number}"
                    relay = await start(called, machine, folder, ["relay", link], news=news, settings=BY_LAN)
                    processes.append(relay)
                    await asyncio.sleep(APART_S)
            if not await until(lambda: all(process.pieces for process in processes[1:]), FIRST_S, news):
                raise RuntimeError("somebody got no pieces")
            await asyncio.sleep(settle_s)
            return await _count(bed, processes[1:], seconds)
        finally:
            await asyncio.gather(*(process.stop() for process in processes))


def _film(folder: Path, bitrate_bps: int) -> Path:
    """A film of this bitrate, to be passed on as it is."""
    film = folder / "film.mp4"
    subprocess.run(
        [
            *("ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", NOISE, "-f", "lavfi", "-i", "sine"),
            *("-t", str(FILM_S), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"),
            *("-pix_fmt", "yuv420p", "-b:v", f"{bitrate_bps}", "-maxrate", f"{bitrate_bps}"),
            *("-bufsize", f"{bitrate_bps // 2}", "-c:a", "aac", "-b:a", "64k", str(film)),
        ],
        check=True,
    )
    return film


async def _count(bed: Bed, relays: list[Process], seconds: float) -> dict[str, object]:
    """What the lines carry from now on, and who feeds whom at the end."""
    loop = asyncio.get_running_loop()
    before, begun_s = bed.carried(), loop.time()
    since = [len(relay.reports) - 1 for relay in relays]
    await asyncio.sleep(seconds)
    after, counted_s = bed.carried(), loop.time() - begun_s
    payload_bytes_s = max(_payload_bytes_s(relay, first) for relay, first in zip(relays, since, strict=True))
    times = {house: _times(before[house], after[house], payload_bytes_s * counted_s) for house in HOUSES}
    return {
        "payload_bps": round(8 * payload_bytes_s),
        **times,
        "into_ratio": round(times["shared"]["into"] / times["single"]["into"], 3),
        "company": {relay.name: _company(relay) for relay in relays},
        "pieces_lost": {relay.name: _lost(relay, first) for relay, first in zip(relays, since, strict=True)},
    }


def _times(before: Carried, after: Carried, payload_bytes: float) -> dict[str, float]:
    """What went in and out, as multiples of the payload."""
    into, out = after.into_bytes - before.into_bytes, after.out_bytes - before.out_bytes
    return {"into": round(into / payload_bytes, 3), "out": round(out / payload_bytes, 3)}


def _payload_bytes_s(relay: Process, since: int) -> float:
    """Between its own reports, which have their own times."""
    (begin_s, first), (end_s, last) = relay.reports[since], relay.reports[-1]
    return (last.payload_bytes - first.payload_bytes) / (end_s - begin_s)


def _lost(relay: Process, since: int) -> int:
    return relay.reports[-1][1].pieces_lost - relay.reports[since][1].pieces_lost


def _company(relay: Process) -> dict[str, int]:
    """How many neighbours it has in its own LAN, and how many of its stripes come from them and from elsewhere."""
    found = {"lan_links": 0, "lan_stripes": 0, "outside_stripes": 0}
    for neighbour in relay.reports[-1][1].neighbours:
        is_near = neighbour.address.startswith(LAN)
        found["lan_links"] += is_near
        found["lan_stripes" if is_near else "outside_stripes"] += neighbour.stripes_from
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateways", type=int, default=2, help="how many watch in the second house")
    parser.add_argument("--bitrate", type=int, nargs="+", default=BITRATES_BPS, help="of the picture, in bit/s")
    parser.add_argument("--settle", type=float, default=15.0, help="seconds before anything is counted")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long to count")


def run(options: argparse.Namespace) -> dict[str, object]:
    """One broadcast for each bitrate."""
    found: dict[str, object] = {}
    for bitrate_bps in options.bitrate:
        figures = asyncio.run(measure(options.gateways, bitrate_bps, options.settle, options.seconds))
        print(f"picture of {bitrate_bps / 1e6:g} Mbit/s:")
        for name, figure in figures.items():
            print(f"{name:>12}  {figure}")
        found[str(bitrate_bps)] = figures
    return found
