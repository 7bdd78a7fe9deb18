"""``make bench-relay``: what one viewer costs that receives a stream from several parents and passes it on.

The viewer has a process of its own: a node, its QUIC driver, nothing else. The source and the other viewers share
another process. Some of these relay nothing, so that the one finds children for all that its cap lets it give. Printed:
the processor time of the one, as a share of a core and per block that came or went. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import time

import uvloop

from swarm.link import parse_link
from swarm.pieces import HEADER_BYTES
from tests.bench.swarm import Group
from tests.bench.swarm_nodes import Figures

SETTLE_S = 8.0
JOIN_EVERY_S = 0.3


async def _run(options: argparse.Namespace) -> None:
    coding = {"bitrate": options.bitrate, "piece-s": options.piece_s, "k": options.k, "n": options.n}
    source = await Group.start("source", *(f"--{name}={value}" for name, value in coding.items()))
    link = parse_link(await source.line())
    one = await Group.start("viewers", "--paced" if options.paced else "--no-paced")
    others = await Group.start("viewers")
    for at in range(options.others):
        if at == 1:
            await one.join(link, upload_cap_bps=options.bitrate * options.cap_multiple)
        await others.join(link, download_only=at % 5 >= 5 - options.takers_of_five)
        await asyncio.sleep(JOIN_EVERY_S)
    await asyncio.sleep(SETTLE_S)
    begin, begin_s = await one.mark(), time.monotonic()
    await asyncio.sleep(options.seconds)
    end, span_s = await one.mark(), time.monotonic() - begin_s
    for group in (one, others, source):
        group.ask_to_end()
        await group.last_words()
    figures = _figures(options, {name: _grown(begin, end, name) for name in begin}, span_s)
    for name, value in figures.items():
        print(f"{name:>20}  {value:.3f}")
    print(json.dumps(figures))


def _figures(options: argparse.Namespace, grown: dict[str, float], span_s: float) -> dict[str, float]:
    block_bytes = options.bitrate * options.piece_s / 8 / options.k + HEADER_BYTES
    hops = grown["hops"] + grown["bytes_out"] / block_bytes
    return {
        "bitrate_bps": options.bitrate,
        "piece_s": options.piece_s,
        "k": options.k,
        "n": options.n,
        "received_multiple": grown["payload_bytes"] * 8 / span_s / options.bitrate,
        "relayed_multiple": grown["bytes_out"] * 8 / span_s / options.bitrate,
        "hops_per_s": hops / span_s,
        "us_per_hop": grown["cpu_s"] / hops * 1e6,
        "cpu_pct": 100 * grown["cpu_s"] / span_s,
    }


def _grown(begin: Figures, end: Figures, name: str) -> float:
    was, is_now = begin[name], end[name]
    assert isinstance(was, int | float)
    assert isinstance(is_now, int | float)
    return is_now - was


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="make bench-relay", description=__doc__)
    parser.add_argument("--bitrate", type=int, default=4_000_000)
    parser.add_argument("--piece-s", type=float, default=0.2)
    parser.add_argument("--k", type=int, default=12)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--others", type=int, default=10)
    parser.add_argument("--takers-of-five", type=int, default=2, help="of five others, how many relay nothing")
    parser.add_argument("--cap-multiple", type=float, default=1.45, help="the one's upload cap, in bitrates")
    parser.add_argument("--paced", action="store_true", help="hold the one's datagrams to its cap, too")
    parser.add_argument("--seconds", type=float, default=20.0)
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
