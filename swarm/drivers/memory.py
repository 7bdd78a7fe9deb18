"""Nodes joined by links in memory, on a virtual clock: the driver of tests and of the simulator.

Every host has one uplink of a given rate with a queue in order of urgency, and every pair of hosts a delay with
jitter. What happens depends on the seed alone: events are ordered by time, then by the order of their making.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from swarm.events import Close, Dial, LinkInfo, LinkStats, News, Output, Send
from swarm.identity import Identity
from swarm.node import Node
from swarm.units import Address, LinkId, PeerId

HEADER_BYTES = 40
"""Added to every message for packets: what QUIC, UDP and IP cost a small one."""

MEASURE_EVERY_S = 0.5
DEAD_AFTER_S = 3.0
"""A link whose other end fell silent is noticed after so long, as by QUIC's idle timeout."""

DIAL_FAILS_AFTER_S = 3.0
CLOSE_LOOK_S = 0.001
NEWS_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A host's connection: uplink in bit/s, delay one way in seconds, its jitter, and the share of lost messages."""

    uplink_bps: float = 100e6
    delay_s: float = 0.005
    jitter_s: float = 0.002
    loss: float = 0.0


@dataclass(slots=True, repr=False)
class _End:
    """One end of a link as its host knows it."""

    host: "Host"
    link: LinkId
    peer: "Host"
    peer_link: LinkId
    sent_bytes: int = 0
    received_bytes: int = 0
    dropped_bytes: int = 0
    queued_bytes: int = 0
    severed: bool = False
    last_arrival_s: list[float] = field(default_factory=lambda: [0.0, 0.0])


@dataclass(slots=True, repr=False)
class Host:
    """A node, its line, and what it has told its application: ``news`` with the time of each."""

    name: str
    identity: Identity
    node: Node
    address: Address
    line: Line
    rng: Random
    news: list[tuple[float, News]] = field(default_factory=list)
    alive: bool = True
    sent_bytes: int = 0
    ends: dict[LinkId, _End] = field(default_factory=dict)
    queue: list[tuple[int, int, Send]] = field(default_factory=list)
    busy: bool = False
    timer_s: float | None = None

    def __repr__(self) -> str:
        return f"Host({self.name!r})"  # hosts and links point at each other: the whole net would be printed


class MemoryNet:
    """The world: hosts, links, and the clock. ``run_until`` moves time."""

    def __init__(self, seed: int | str) -> None:
        self.now = 0.0
        self._seed = seed
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0
        self._hosts: dict[Address, Host] = {}
        self._links = 0
        self._cuts: set[frozenset[Address]] = set()

    @property
    def hosts(self) -> list[Host]:
        return list(self._hosts.values())

    def random(self, purpose: str) -> Random:
        """A source of luck for one purpose, so that one more host changes nobody else's."""
        return Random(f"{self._seed}/{purpose}")

    def add(self, name: str, identity: Identity, node: Node, line: Line) -> Host:
        number = len(self._hosts) + 1
        address = Address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 4000)
        host = self._hosts[address] = Host(name, identity, node, address, line, self.random(f"host/{name}"))
        self.at(self.now + host.rng.uniform(0, MEASURE_EVERY_S), lambda: self._measure(host))
        return host

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        self._made += 1
        heapq.heappush(self._events, (when_s, self._made, action))

    def run_until(self, until_s: float) -> None:
        """Let everything happen up to a time."""
        while self._events and self._events[0][0] <= until_s:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = until_s

    def call(self, host: Host, command: Callable[[Node, float], None]) -> None:
        """Let the application of a host say something to its node."""
        if host.alive:
            command(host.node, self.now)
            self._drain(host)

    def kill(self, host: Host) -> None:
        """End a host without a word: the others notice only by silence."""
        host.alive = False
        for end in host.ends.values():
            other = end.peer
            self.at(self.now + DEAD_AFTER_S, lambda o=other, link=end.peer_link: self._lost(o, link))  # type: ignore[misc]

    def cut(self, these: Iterable[Host], those: Iterable[Host]) -> None:
        """Let nothing pass between two groups until ``heal``: links fall silent and die of it, new ones fail."""
        pairs = [(host, other) for host in these for other in those]
        self._cuts.update(frozenset((host.address, other.address)) for host, other in pairs)
        for end in [end for host in self.hosts for end in host.ends.values()]:
            if not end.severed and self._is_cut(end.host, end.peer):
                end.severed = True
                self.at(self.now + DEAD_AFTER_S, lambda end=end: self._lost(end.host, end.link))  # type: ignore[misc]

    def heal(self) -> None:
        """Undo all cuts; links that they have severed stay dead."""
        self._cuts.clear()

    def _is_cut(self, host: Host, other: Host) -> bool:
        return frozenset((host.address, other.address)) in self._cuts

    def _drain(self, host: Host) -> None:
        for output in host.node.outputs():
            self._carry_out(host, output)
        self._arm(host)

    def _carry_out(self, host: Host, output: Output) -> None:
        if isinstance(output, Send):
            self._enqueue(host, output)
        elif isinstance(output, Dial):
            self._dial(host, output)
        elif isinstance(output, Close):
            self._close(host, output.link)
        elif len(host.news) < NEWS_MAX:
            host.news.append((self.now, output))

    def _arm(self, host: Host) -> None:
        wanted = host.node.next_timer()
        if wanted is None or (host.timer_s is not None and host.timer_s <= max(wanted, self.now)):
            return
        host.timer_s = max(wanted, self.now)
        self.at(host.timer_s, lambda: self._ring(host))

    def _ring(self, host: Host) -> None:
        if host.timer_s is None or host.timer_s > self.now:
            return
        host.timer_s = None
        if host.alive:
            host.node.handle_timer(self.now)
            self._drain(host)

    def _dial(self, host: Host, order: Dial) -> None:
        other = self._hosts.get(order.address)
        delay_s = host.line.delay_s + (other.line.delay_s if other else 0)
        pinned = order.peer is None or (other is not None and order.peer == other.identity.key)
        if other is None or not other.alive or not pinned or self._is_cut(host, other):
            self.at(self.now + DIAL_FAILS_AFTER_S, lambda: self._dial_failed(host, order.address))
            return
        self.at(self.now + 3 * delay_s, lambda: self._connect(host, other))

    def _dial_failed(self, host: Host, address: Address) -> None:
        self.call(host, lambda node, now: node.dial_failed(address, now))

    def _connect(self, dialler: Host, acceptor: Host) -> None:
        if not dialler.alive or not acceptor.alive or self._is_cut(dialler, acceptor):
            self._dial_failed(dialler, acceptor.address)
            return
        self._links += 2
        near, far = LinkId(self._links - 1), LinkId(self._links)
        binding = near.to_bytes(16, "big")
        dialler.ends[near] = _End(dialler, near, acceptor, far)
        acceptor.ends[far] = _End(acceptor, far, dialler, near)
        key = PeerId(acceptor.identity.key)
        up = LinkInfo(dialled=True, address=acceptor.address, binding=binding, peer=key)
        down = LinkInfo(dialled=False, address=dialler.address, binding=binding, peer=None)
        self.call(dialler, lambda node, now: node.link_up(near, up, now))
        self.call(acceptor, lambda node, now: node.link_up(far, down, now))

    def _close(self, host: Host, link: LinkId) -> None:
        """Hang up once all that was said has left and arrived; the other end learns it then."""
        end = host.ends.get(link)
        if end is None:
            return
        if end.queued_bytes and host.alive:
            self.at(self.now + max(CLOSE_LOOK_S, self._queued_s(host)), lambda: self._close(host, link))
            return
        delay_s = host.line.delay_s + end.peer.line.delay_s
        arrival_s = max(self.now + delay_s, *end.last_arrival_s)
        self.at(arrival_s, lambda: self._unlink(host, link, end))

    def _unlink(self, host: Host, link: LinkId, end: _End) -> None:
        host.ends.pop(link, None)
        self._lost(end.peer, end.peer_link)

    def _lost(self, host: Host, link: LinkId) -> None:
        if host.ends.pop(link, None) is not None:
            self.call(host, lambda node, now: node.link_down(link, now))

    def _queued_s(self, host: Host) -> float:
        return sum(len(send.data) for _, _, send in host.queue) * 8 / host.line.uplink_bps

    def _enqueue(self, host: Host, send: Send) -> None:
        end = host.ends.get(send.link)
        if end is None:
            return
        end.queued_bytes += len(send.data)
        self._made += 1
        heapq.heappush(host.queue, (send.urgency, self._made, send))
        if not host.busy:
            self._transmit(host)

    def _transmit(self, host: Host) -> None:
        host.busy = False
        while host.queue and host.alive:
            send = heapq.heappop(host.queue)[2]
            end = host.ends.get(send.link)
            if end is None:
                continue
            end.queued_bytes -= len(send.data)
            if send.expires_s is not None and send.expires_s < self.now:
                end.dropped_bytes += len(send.data)
                continue
            host.busy = True
            self._put_on_line(host, end, send)
            return

    def _put_on_line(self, host: Host, end: _End, send: Send) -> None:
        size = len(send.data) + HEADER_BYTES
        gone_s = self.now + size * 8 / host.line.uplink_bps
        host.sent_bytes += size
        end.sent_bytes += size
        self.at(gone_s, lambda: self._transmit(host))
        other, line = end.peer, end.peer.line
        delay_s = host.line.delay_s + line.delay_s + host.rng.random() * (host.line.jitter_s + line.jitter_s)
        if host.rng.random() < host.line.loss + line.loss:
            delay_s += 2 * (host.line.delay_s + line.delay_s) + 0.03
        channel = min(send.urgency, 1)
        end.last_arrival_s[channel] = arrival_s = max(gone_s + delay_s, end.last_arrival_s[channel])
        self.at(arrival_s, lambda: self._arrive(other, end.peer_link, send.data))

    def _arrive(self, host: Host, link: LinkId, data: bytes) -> None:
        end = host.ends.get(link)
        if end is not None and host.alive and not end.severed:
            end.received_bytes += len(data)
            host.node.receive(data, link, self.now)
            self._drain(host)

    def _measure(self, host: Host) -> None:
        if not host.alive:
            return
        for link, end in list(host.ends.items()):
            rtt_s = 2 * (host.line.delay_s + end.peer.line.delay_s)
            stats = LinkStats(
                rtt_s=rtt_s,
                queued_bytes=end.queued_bytes,
                sent_bytes=end.sent_bytes,
                received_bytes=end.received_bytes,
                dropped_bytes=end.dropped_bytes,
            )
            host.node.link_measured(link, stats, self.now)
        self._drain(host)
        self.at(self.now + MEASURE_EVERY_S, lambda: self._measure(host))
