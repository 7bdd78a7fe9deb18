"""Figures of a simulated broadcast."""

import hashlib
from dataclasses import dataclass

from swarm.drivers.memory import Host
from swarm.events import PieceReady
from swarm.sim.world import World, delays


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Delays in seconds from a piece's first frame; shares between 0 and 1."""

    viewers: int
    pieces: int
    delay_p50_s: float
    delay_p95_s: float
    delay_p99_s: float
    within_1s: float
    within_2s: float
    join_p50_s: float
    join_p95_s: float
    source_multiple: float
    digest: str


def quantile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie, by rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def report(world: World, joined_s: dict[str, float]) -> Report:
    """Figures of all viewers still alive; a piece counts for a viewer when its capture began after the join.

    Pieces of the last three seconds are left out: they may be under way still.
    """
    alive = [host for host in world.viewers if host.alive]
    due: list[float] = []
    waits: list[float] = []
    last_s = world.net.now - 3
    for host in alive:
        got = delays(world, host)
        if not got:
            continue
        due += [got.get(n, float("inf")) for n, at in world.published.items() if joined_s[host.name] <= at < last_s]
        waits.append(min(at for at, news in host.news if isinstance(news, PieceReady)) - joined_s[host.name])
    return Report(
        viewers=len(alive),
        pieces=len(world.published),
        delay_p50_s=quantile(due, 0.5),
        delay_p95_s=quantile(due, 0.95),
        delay_p99_s=quantile(due, 0.99),
        within_1s=sum(delay <= 1 for delay in due) / max(1, len(due)),
        within_2s=sum(delay <= 2 for delay in due) / max(1, len(due)),
        join_p50_s=quantile(waits, 0.5),
        join_p95_s=quantile(waits, 0.95),
        source_multiple=world.source.sent_bytes / max(1, world.payload_bytes),
        digest=digest(world.viewers),
    )


def digest(hosts: list[Host]) -> str:
    """One word for all that was delivered, to whom, when: equal for equal seeds."""
    sha = hashlib.sha256()
    for host in hosts:
        for at, news in host.news:
            if isinstance(news, PieceReady):
                sha.update(f"{host.name} {news.number} {at:.9f}\n".encode())
    return sha.hexdigest()[:16]
