"""Figures of a simulated broadcast."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import inf, isfinite, nan

from swarm.drivers.memory import HEADER_BYTES as PACKET_BYTES
from swarm.drivers.memory import Host
from swarm.events import PieceReady, Urgency
from swarm.merkle import NODE_BYTES, depth
from swarm.pieces import HEADER_BYTES
from swarm.sim.bound import Task, least_delay_s
from swarm.sim.scenarios import Stage, flash
from swarm.sim.watch import Watch
from swarm.sim.world import World, delays

TAIL_S = 3.0
"""Pieces of the last seconds are left out: they may be under way still."""

NEVER_S = 5.0
"""Who has seen nothing for so long is late by his own pieces; before, he is still joining."""

DEADLINE_S = 2.0

JOINS_FROM_S = 2.0
"""Who comes before has no swarm to join yet."""

FIGURES = 6
"""Decimals that the JSON object carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Delays in seconds from the capture of a piece's first frame; shares between 0 and 1 of what was due.

    A piece is due at a viewer when it was captured after the viewer's first whole piece came. ``delay_bound_s`` is
    what the same lines allow at best until 99 of 100 viewers have one piece. ``source_burst_s`` is by how much of the
    stream the source was ahead of its multiple at worst, from the beginning. ``overhead`` is by kind, in parts of
    the payload that viewers got; ``missed_p95_s`` is play time that misses the deadline of 2 s after the event, over
    the viewers that were there before and stay. Of the ``liars`` some are ``banned`` by somebody and some
    ``avoided``: served last, or asked for no stripe.
    """

    scenario: str
    seed: int
    viewers: int
    pieces: int
    delay_p50_s: float
    delay_p95_s: float
    delay_p99_s: float
    delay_p999_s: float
    delay_bound_p50_s: float
    delay_bound_s: float
    within_1s: float
    within_2s: float
    within_5s: float
    join_p50_s: float
    join_p95_s: float
    joins: int
    source_multiple: float
    source_burst_s: float
    overhead: dict[str, float]
    overhead_total: float
    upload_use: float
    missed_mean_s: float
    missed_p95_s: float
    glitches: dict[str, int]
    forged_delivered: int
    liars: int
    liars_banned: int
    liars_avoided: int
    honest_banned: int
    honest_avoided: int
    digest: str

    def plain(self) -> dict[str, object]:
        """For JSON: rounded, and null for what is not finite."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie, by rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else nan


def report(stage: Stage, watch: Watch) -> Report:
    """Figures of all honest viewers still alive, from the time on at which the overlay has settled."""
    world = stage.world
    hosts = stage.honest()
    late = [(host, due(world, host, stage.settled_s)) for host in hosts]
    waits = sorted(delay for _, pieces in late for _, delay in pieces)
    stayed = [pieces for host, pieces in late if host.name in stage.watching_before]
    missed = [_missed(world, pieces, stage.event_s) for pieces in stayed]
    joins = [join_s(world, host) for host in hosts if world.joined_s[host.name] >= _joins_from(stage)]
    overhead = _overhead(stage, hosts)
    banned, avoided, liars = watch.found.banned, watch.found.avoided, stage.liars.keys()
    return Report(
        scenario=stage.scenario.name,
        seed=world.seed,
        viewers=len(hosts),
        pieces=len(waits),
        delay_p50_s=_at(waits, 0.5),
        delay_p95_s=_at(waits, 0.95),
        delay_p99_s=_at(waits, 0.99),
        delay_p999_s=_at(waits, 0.999),
        delay_bound_p50_s=bound_s(stage, 0.5),
        delay_bound_s=bound_s(stage, 0.99),
        within_1s=_within(waits, 1.0),
        within_2s=_within(waits, DEADLINE_S),
        within_5s=_within(waits, 5.0),
        join_p50_s=quantile(joins, 0.5),
        join_p95_s=quantile(joins, 0.95),
        joins=len(joins),
        source_multiple=_source_multiple(stage),
        source_burst_s=watch.rates.source_burst_s,
        overhead=overhead,
        overhead_total=sum(overhead.values()),
        upload_use=_upload_use(world, hosts),
        missed_mean_s=sum(missed) / max(1, len(missed)),
        missed_p95_s=quantile(missed, 0.95),
        glitches=_glitches(world, [pieces for _, pieces in late]),
        forged_delivered=_forged(world, hosts),
        liars=len(liars),
        liars_banned=len(banned & liars),
        liars_avoided=len(avoided & liars),
        honest_banned=len(banned - liars),
        honest_avoided=len(avoided - liars),
        digest=digest(world.viewers),
    )


def due(world: World, host: Host, settled_s: float) -> list[tuple[int, float]]:
    """The pieces captured since ``settled_s`` that are due at a viewer with their delays; infinite: it never came."""
    got = delays(world, host)
    begin_s = first_s(host)
    from_s = max(settled_s, min(begin_s, world.joined_s[host.name] + NEVER_S))
    last_s = world.net.now - TAIL_S
    return [(number, got.get(number, inf)) for number, at in world.published.items() if from_s <= at < last_s]


def bound_s(stage: Stage, share: float) -> float:
    """The least delay of one piece of mean size over the lines of those who are here, for a share of them."""
    world, show, hosts = stage.world, stage.world.show, stage.honest()
    payload = show.bitrate_bps * show.piece_s / 8
    task = Task(
        piece_s=show.piece_s,
        k=show.k,
        block_bytes=_block_bytes(world, payload / show.k) + PACKET_BYTES,
        source_bps=world.source.line.uplink_bps,
        source_blocks=max(show.k, int(stage.scenario.source_multiple * show.k)),
        source_delay_s=world.source.line.delay_s,
    )
    uplinks = [host.line.uplink_bps for host in hosts]
    return least_delay_s(task, uplinks, [host.line.delay_s for host in hosts], share)


def first_s(host: Host) -> float:
    """When the first whole piece came."""
    return next((at for at, news in host.news if isinstance(news, PieceReady)), inf)


def join_s(world: World, host: Host) -> float:
    """From joining to the first whole piece."""
    return first_s(host) - world.joined_s[host.name]


def digest(hosts: Iterable[Host]) -> str:
    """One word for all that was delivered, to whom, when: equal for equal seeds."""
    sha = hashlib.sha256()
    for host in hosts:
        for at, news in host.news:
            if isinstance(news, PieceReady):
                sha.update(f"{host.name} {news.number} {at:.9f}\n".encode())
    return sha.hexdigest()[:16]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else nan


def _within(waits: Sequence[float], limit_s: float) -> float:
    return sum(wait <= limit_s for wait in waits) / max(1, len(waits))


def _joins_from(stage: Stage) -> float:
    """Joins are timed once there is a swarm to join."""
    if stage.scenario.event is flash:
        return stage.event_s
    return stage.settled_s if stage.scenario.latecomers else JOINS_FROM_S


def _missed(world: World, pieces: Iterable[tuple[int, float]], since_s: float) -> float:
    after = (delay for number, delay in pieces if world.published[number] >= since_s - 1)
    return sum(delay > DEADLINE_S for delay in after) * world.show.piece_s


def _glitches(world: World, viewers: Iterable[list[tuple[int, float]]]) -> dict[str, int]:
    """How many interruptions of play at the deadline there were, by their length."""
    counts = {"<=0.2s": 0, "<=0.5s": 0, "<=1s": 0, "<=2s": 0, ">2s": 0}
    for pieces in viewers:
        run = 0
        for _, delay in [*pieces, (0, 0.0)]:
            if delay > DEADLINE_S:
                run += 1
            elif run:
                length_s = run * world.show.piece_s
                counts[next((k for k, most in _LENGTHS if length_s <= most), ">2s")] += 1
                run = 0
    return counts


_LENGTHS = (("<=0.2s", 0.21), ("<=0.5s", 0.5), ("<=1s", 1.0), ("<=2s", 2.0))


def _overhead(stage: Stage, hosts: Sequence[Host]) -> dict[str, float]:
    """What viewers were sent beyond the payload since the overlay settled, in parts of it, by kind."""
    world, then, now = stage.world, stage.settled, stage.traffic()
    assert then is not None
    there = [host.name for host in hosts if host.name in then.statuses and host.name in now.statuses]

    def grown(field: str) -> int:
        return sum(getattr(now.statuses[n], field) - getattr(then.statuses[n], field) for n in there)

    payload = grown("payload_bytes")
    block = (now.published_bytes - then.published_bytes) / max(1, now.published - then.published) / world.show.k
    full = _block_bytes(world, block)
    share = len(there) / max(1, len(now.statuses))
    control = now.sent_by_class[Urgency.CONTROL] - then.sent_by_class[Urgency.CONTROL]
    needed = grown("blocks") - grown("surplus")
    kinds = {
        "headers": needed * (full - block),
        "unused": needed * block - payload,
        "spare": grown("surplus") * full,
        "duplicates": grown("duplicates") * full,
        "control": control * share,
    }
    return {kind: size / max(1, payload) for kind, size in kinds.items()}


def _block_bytes(world: World, payload_bytes: float) -> float:
    """A block's message: type, header, index, path, and its part of the piece."""
    return payload_bytes + HEADER_BYTES + 2 + depth(world.show.n) * NODE_BYTES


def _source_multiple(stage: Stage) -> float:
    """What the sources, one after the other, sent since the overlay settled, as a multiple of what they published."""
    world, then = stage.world, stage.settled
    assert then is not None
    viewers = {host.name for host in world.viewers}
    sources = [host for host in world.net.hosts if host.name not in viewers]
    sent = sum(host.sent_bytes - then.sent_bytes.get(host.name, 0) for host in sources)
    return sent / max(1, world.payload_bytes - then.published_bytes)


def _upload_use(world: World, hosts: Sequence[Host]) -> float:
    capacity = sum(host.line.uplink_bps / 8 * (world.net.now - world.joined_s[host.name]) for host in hosts)
    return sum(host.sent_bytes for host in hosts) / max(1.0, capacity)


def _forged(world: World, hosts: Sequence[Host]) -> int:
    """Pieces handed out that are not, byte for byte, what the source published."""
    true = {number: hashlib.sha256(world.payload(number)).digest() for number in world.published}
    seen: dict[int, bool] = {}
    forged = 0
    for host in hosts:
        for _, news in host.news:
            if isinstance(news, PieceReady):
                known = seen.get(id(news.payload))
                if known is None:
                    known = seen[id(news.payload)] = hashlib.sha256(news.payload).digest() == true.get(news.number)
                forged += not known
    return forged


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return round(value, FIGURES) if isfinite(value) else None
    return value
