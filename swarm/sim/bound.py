"""The least delay that given lines allow: no scheme, however clever, makes one piece whole everywhere sooner.

Two things hold every scheme back. Work: who has the piece has k blocks of it, and each block that somebody receives
takes somebody's line its time. Depth: any k different blocks leave the source one after the other, and the last of
them has yet to spread from one holder to many. The bound is the later of the two, and generous in all else: nothing
is lost, nothing jitters, no other piece or message is on the lines, a host sends at its line's full rate from its
first block on and always something useful, and the strongest uplinks are taken for the nearest hosts and served first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece: seconds until it is captured, k blocks to be whole, bytes of one block on a line.

    The source sends at ``source_bps``, at most ``source_blocks`` of them; ``source_delay_s`` is its way to the middle.
    """

    piece_s: float
    k: int
    block_bytes: float
    source_bps: float
    source_blocks: int
    source_delay_s: float


def least_delay_s(task: Task, uplinks_bps: Sequence[float], delays_s: Sequence[float], share: float) -> float:
    """Seconds from the capture of the first frame until ``share`` of the hosts can have the piece at the earliest.

    ``delays_s`` are the hosts' ways to the middle of the net; each host's uplink in bit/s stands at the same place.
    """
    hosts = sorted(uplinks_bps, reverse=True)
    ways = sorted(delays_s)
    wanted = ceil(share * len(hosts))
    if not wanted:
        return task.piece_s
    return max(
        _spread_s(task, hosts, ways, copies=wanted * task.k, first_block=1),
        _spread_s(task, hosts, ways, copies=wanted, first_block=task.k),
    )


def _spread_s(
    task: Task, uplinks_bps: Sequence[float], ways_s: Sequence[float], *, copies: int, first_block: int
) -> float:
    """When so many copies have arrived. The source's first ``first_block - 1`` blocks do not count.

    ``uplinks_bps`` fall and ``ways_s`` grow: the host at each place is taken to have the best of both that is left.
    """
    bits = task.block_bytes * 8
    begin_s = task.piece_s + first_block * bits / task.source_bps
    # Each sender's next copy: when it reaches the middle of the net, order, seconds from one to the next, copies left.
    sends: list[tuple[float, int, float, float]] = []
    heappush(sends, (begin_s + task.source_delay_s, 0, bits / task.source_bps, task.source_blocks - first_block + 1))
    arrivals: list[float] = []
    woken = 0
    while sends:
        middle_s, order, step_s, left = heappop(sends)
        if len(arrivals) >= copies and -arrivals[0] <= middle_s + ways_s[0]:
            break
        asleep = woken < len(ways_s)
        arrival_s = middle_s + ways_s[woken if asleep else 0]
        _keep(arrivals, arrival_s, copies)
        if asleep:
            if uplinks_bps[woken] > 0:
                step = bits / uplinks_bps[woken]
                heappush(sends, (arrival_s + step + ways_s[woken], woken + 1, step, inf))
            woken += 1
        if left > 1:
            heappush(sends, (middle_s + step_s, order, step_s, left - 1))
    return -arrivals[0] if len(arrivals) >= copies else inf


def _keep(arrivals: list[float], arrival_s: float, most: int) -> None:
    """Keep the earliest ``most`` arrivals, as a heap of negatives with the latest on top."""
    if len(arrivals) < most:
        heappush(arrivals, -arrival_s)
    elif -arrival_s > arrivals[0]:
        heappop(arrivals)
        heappush(arrivals, -arrival_s)
