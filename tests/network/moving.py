"""A viewer whose machine goes from one network to another while it watches: how long is the longest gap of pieces?

The first network has IPv6 and a cone NAT, the second only another NAT: no link can come along.
"""

import asyncio
import tempfile
from pathlib import Path

from tests.network.namespaces import ip, join_by_cable
from tests.network.peers import Process, start, until
from tests.network.sites import Bed, Nat, Site

MOVER = Site(name="mover", number=12, nat=Nat.PRESERVING, v6=True, guarded=True)
OTHER = Site(name="other", number=13, nat=Nat.PRESERVING)
SETTLED_PIECES = 40
AFTER_PIECES = 25
FIRST_S, SECOND_S = 30.0, 30.0


def give_second_cable(bed: Bed) -> None:
    """A cable from the mover's machine to the other house's router too, second in rank."""
    host, router = bed.hosts[MOVER.name], bed.routers[OTHER.name]
    join_by_cable(router, host, ("lan1", "eth1"))
    ip(router, "addr add 192.168.2.1/24 dev lan1")
    ip(host, "addr add 192.168.2.2/24 dev eth1", "route add default via 192.168.2.1 metric 100")


async def move(bed: Bed, link: str, news: asyncio.Event) -> dict[str, float]:
    """Watch, change the network, watch on; the longest gaps before and after, and what was lost."""
    with tempfile.TemporaryDirectory() as folder:
        mover = await start(MOVER.name, bed.hosts[MOVER.name], Path(folder), ["relay", link], news=news)
        try:
            if not await until(lambda: mover.pieces >= SETTLED_PIECES, FIRST_S, news):
                words = "\n".join([str(mover.report), *mover.words])
                raise RuntimeError(f"the mover got no pieces at home:\n{words}")
            before_s = _gap_s(mover)
            ip(bed.hosts[MOVER.name], "link set eth0 down")
            at = mover.pieces
            await until(lambda: mover.pieces >= at + AFTER_PIECES, SECOND_S, news)
            assert mover.report is not None
            figures = {"gap_before_s": before_s, "gap_s": _gap_s(mover), "pieces_lost": mover.report.pieces_lost}
            print(
                f"from one network to another: longest gap {figures['gap_s']:.2f} s, before it {before_s:.2f} s, "
                f"{mover.report.pieces_lost} pieces lost\n"
            )
            return {name: round(value, 2) for name, value in figures.items()}
        finally:
            await mover.stop()


def _gap_s(process: Process) -> float:
    return process.report.longest_gap_s if process.report is not None else 0.0
