"""What must hold at any moment of any scenario; each check raises Violation."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm import wire
from swarm.drivers.memory import Host, Temper
from swarm.events import PieceReady, Send
from swarm.join import KNOWN_MAX
from swarm.pieces import STRIPES_MAX
from swarm.repair import AT_ONCE_MAX
from swarm.sendqueue import QUEUE_BYTES_MAX
from swarm.sim import inside
from swarm.sim.faults import BLOCK_TYPE
from swarm.sim.truth import Truth
from swarm.units import PeerId, StreamId
from swarm.window import PIECES_MAX, Entry

RECENT = 20
"""Newest pieces of a window whose blocks are looked at each time; older ones were looked at before."""

QUEUE_MAX_BYTES = 2 * QUEUE_BYTES_MAX
"""What may wait at one uplink: twice what the product's driver lets wait for one link."""

SOURCE_BURST_S = 10.0
"""The source may be ahead of its multiple by what the stream is in so long: those who join or come up in place of the
dead are caught up, and children that have to move are fed until they have."""

CAP_EXCESS = 1.05
CAP_BURST_S = 2.0
CAP_BURST_BYTES = 20_000
"""A cap is obeyed to within a twentieth, over any time: control that cannot wait is made up for soon."""

LOOP_MAX_S = 5.0


class Violation(Exception):
    """Something that must never be."""


@dataclass(slots=True)
class Deliveries:
    """What each host has handed out: every piece once, and as it was published."""

    truth: Truth
    _looked_at: dict[str, int] = field(default_factory=dict)
    _had: dict[str, set[tuple[int, int]]] = field(default_factory=dict)

    def check(self, hosts: Iterable[Host]) -> None:
        """Look at the news since last time."""
        for host in hosts:
            at = self._looked_at.get(host.name, 0)
            if at == len(host.news):
                continue
            had = self._had.setdefault(host.name, set())
            for _, news in host.news[at:]:
                if isinstance(news, PieceReady):
                    self._check_piece(host, news, had)
            self._looked_at[host.name] = len(host.news)

    def _check_piece(self, host: Host, news: PieceReady, had: set[tuple[int, int]]) -> None:
        if not self.truth.is_payload(news.number, news.payload):
            raise Violation(f"{host.name} handed out a forged piece {news.number}")
        if (news.epoch, news.number) in had:
            raise Violation(f"{host.name} handed out piece {news.number} twice")
        had.add((news.epoch, news.number))


@dataclass(slots=True)
class Windows:
    """All that a node sends comes from its window: there every block is as the source made it."""

    truth: Truth
    _looked_at: dict[str, dict[int, int]] = field(default_factory=dict)

    def check(self, host: Host, stream: StreamId) -> None:
        """Look at the pieces of which blocks have come since last time."""
        member = inside.member(host, stream)
        if member is None:
            return
        window = member.circle.window
        entries = [window.get(number) for number in range(window.newest - RECENT, window.newest + 1)]
        before = self._looked_at.get(host.name, {})
        self._looked_at[host.name] = {entry.number: entry.held for entry in entries if entry is not None}
        for entry in entries:
            if entry is not None and entry.held != before.get(entry.number):
                self._check_piece(host, entry)

    def _check_piece(self, host: Host, entry: Entry) -> None:
        for index, message in entry.messages.items():
            if not self.truth.is_block(entry.number, index, message):
                raise Violation(f"{host.name} holds a forged block {index} of piece {entry.number}")


def tap(host: Host, truth: Truth) -> Temper:
    """Looks at every block that leaves an honest host, and changes nothing."""

    def look(send: Send) -> Send:
        if send.data[:1] == BLOCK_TYPE:
            number = int.from_bytes(wire.block_header(send.data)[12:20], "big")
            index = wire.block_index(send.data, STRIPES_MAX)
            if not truth.is_block(number, index, send.data):
                raise Violation(f"{host.name} sent a forged block {index} of piece {number}")
        return send

    return look


def check_bounds(host: Host, stream: StreamId) -> None:
    """Queues, windows and books stay within their bounds, and what they name is there."""
    member = inside.member(host, stream)
    if host.queued_bytes > QUEUE_MAX_BYTES:
        raise Violation(f"{host.queued_bytes} bytes wait at the uplink of {host.name}")
    if member is None:
        return
    circle, (links, peers) = member.circle, inside.links(host)
    found = {
        "pieces": (sum(1 for _ in circle.window.entries()), PIECES_MAX),
        "addresses": (len(member.book.prospects), KNOWN_MAX + 1),
        "links": (links, circle.settings.links_max),
        "peers": (peers, links),
        "mates": (len(circle.mates), peers),
        "repairs": (inside.searches(member), AT_ONCE_MAX),
    }
    for what, (have, most) in found.items():
        if have > most:
            raise Violation(f"{host.name} has {have} {what}, and the bound is {most}")
    for feed in member.feeds.by_stripe:
        if not {feed.parent, feed.asked} - {None} <= circle.mates.keys():
            raise Violation(f"{host.name} counts on somebody for stripe {feed.stripe} who is no mate of it")
    if not member.outgo.nursery.everybody() <= circle.mates.keys():
        raise Violation(f"{host.name} feeds somebody who is no mate of it")


def check_bans(host: Host, honest: set[PeerId], *, liars: bool) -> None:
    """Nobody honest is banned; and without liars nobody is taken for one."""
    if wronged := inside.banned(host) & honest:
        raise Violation(f"{host.name} has banned {len(wronged)} honest peers")
    if not liars and host.node.faults:
        raise Violation(f"{host.name} took an honest peer for a liar: {dict(host.node.faults)}")


@dataclass(slots=True)
class Bucket:
    """What one host sends, against a rate: it fills as the host sends and leaks at the rate."""

    rate_bps: float
    burst_bytes: float
    at_s: float
    sent_bytes: int = 0
    level_bytes: float = 0.0
    most_bytes: float = 0.0

    def check(self, host: Host, now: float, what: str) -> None:
        leaked = self.rate_bps / 8 * (now - self.at_s)
        self.level_bytes = max(0.0, self.level_bytes + host.sent_bytes - self.sent_bytes - leaked)
        self.sent_bytes, self.at_s = host.sent_bytes, now
        self.most_bytes = max(self.most_bytes, self.level_bytes)
        if self.level_bytes > self.burst_bytes:
            raise Violation(f"{host.name} is {self.level_bytes:.0f} bytes ahead of {what}")


@dataclass(slots=True)
class Rates:
    """The source keeps to its multiple of the stream, viewers to the caps that they set."""

    bitrate_bps: float
    multiple: float
    source_burst_s: float = 0.0
    """By how much a source was ahead of its multiple at worst, as seconds of the stream."""

    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def check_source(self, source: Host, now: float) -> None:
        bitrate_bps = self.bitrate_bps
        bucket = self._buckets.get(source.name)
        if bucket is None:
            bucket = Bucket(self.multiple * bitrate_bps, SOURCE_BURST_S * bitrate_bps / 8, now)
            self._buckets[source.name] = bucket
        bucket.check(source, now, "its multiple of the stream")
        self.source_burst_s = max(self.source_burst_s, bucket.most_bytes * 8 / bitrate_bps)

    def check_cap(self, host: Host, now: float) -> None:
        cap_bps = host.node.pacer.rate_bps
        if not cap_bps:
            return
        bucket = self._buckets.get(host.name)
        if bucket is None:
            bucket = Bucket(
                CAP_EXCESS * cap_bps, CAP_BURST_S * cap_bps / 8 + CAP_BURST_BYTES, now, sent_bytes=host.sent_bytes
            )
            self._buckets[host.name] = bucket
        bucket.check(host, now, "its cap")


@dataclass(slots=True)
class Loops:
    """Loops in the stripes' trees, and since when each is there."""

    since_s: dict[tuple[int, frozenset[str]], float] = field(default_factory=dict)

    def check(self, hosts: Iterable[Host], stream: StreamId, now: float) -> None:
        found = {loop: self.since_s.get(loop, now) for loop in loops(hosts, stream)}
        for (stripe, names), since_s in found.items():
            if now - since_s > LOOP_MAX_S:
                raise Violation(f"a loop on stripe {stripe} for {now - since_s:.1f} s: {', '.join(sorted(names))}")
        self.since_s = found


def loops(hosts: Iterable[Host], stream: StreamId) -> list[tuple[int, frozenset[str]]]:
    """The loops there are: the stripe, and the names of those who feed each other in a ring."""
    names = {PeerId(host.identity.key): host.name for host in hosts}
    parents: dict[int, dict[str, str]] = {}
    for host in hosts:
        member = inside.member(host, stream)
        for feed in member.feeds.by_stripe if member is not None else ():
            if feed.parent is not None and feed.parent in names:
                parents.setdefault(feed.stripe, {})[host.name] = names[feed.parent]
    return [(stripe, loop) for stripe, above in parents.items() for loop in _rings(above)]


def _rings(above: dict[str, str]) -> list[frozenset[str]]:
    """The rings in a graph in which each has at most one above it."""
    done: set[str] = set()
    rings = []
    for start in above:
        path: dict[str, int] = {}
        at = start
        while at in above and at not in done and at not in path:
            path[at] = len(path)
            at = above[at]
        if at in path:
            rings.append(frozenset(list(path)[path[at] :]))
        done.update(path)
    return rings
