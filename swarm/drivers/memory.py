"""Nodes joined by links in memory, on a virtual clock: the driver of tests and of the simulator.

Every host has one uplink of a given rate with a queue in order of urgency, and every pair of hosts a delay with
jitter; what goes between two hosts of one house crosses no uplink. What happens depends on the seed alone: events are
ordered by time, then by the order of their making.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from random import Random

from swarm.drivers.line import (
    DIAL_AGAIN_S,
    PACKET_BYTES,
    PINHOLE_S,
    RESEND_S,
    Line,
    Traffic,
    Weather,
    lets_in,
    port_behind,
    resends,
)
from swarm.events import Close, Dial, LinkInfo, LinkStats, News, Send, Urgency
from swarm.identity import Identity
from swarm.node import Node
from swarm.units import Address, LinkId, PeerId

HOUSE_WAY_S, HOUSE_JITTER_S = 0.001, 0.002
HEADER_BYTES = 40
"""Added to every message for packets: what QUIC, UDP and IP cost a small one."""

MEASURE_EVERY_S = 0.5
DEAD_AFTER_S = 3.0
"""A link whose other end fell silent is noticed after so long, as by QUIC's idle timeout."""

SILENT_AFTER_S = 0.4
"""Nothing of what was sent is acknowledged: the sender's transport says so after some round trips and so much."""

DIAL_FAILS_AFTER_S = 3.0
CLOSE_LOOK_S = 0.001
NEWS_MAX = 1_000_000

Temper = Callable[[Send], Send | None]
"""What a misbehaving host does to a message before it leaves: another one, or nothing."""


@dataclass(slots=True, repr=False, eq=False)
class _End:
    """One end of a link as its host knows it; ``way_s`` is the delay to the other without jitter."""

    host: "Host"
    link: LinkId
    peer: "Host"
    peer_link: LinkId
    way_s: float
    jitter_s: float
    loss: float
    far: "_End" = field(init=False)
    sent_bytes: int = 0
    received_bytes: int = 0
    dropped_bytes: int = 0
    queued_bytes: int = 0
    measured_bytes: int = 0
    indoors: bool = False
    severed: bool = False
    silent: bool = False
    last_arrival_s: list[float] = field(default_factory=lambda: [0.0, 0.0])


@dataclass(slots=True, repr=False, eq=False)
class Host:
    """A node, its line, and what it has told its application: ``news`` with the time of each.

    What waits, in ``queues`` by urgency, goes on the line when something asks: ``least_way_s``, the shortest of its
    ways, after the line is free at the latest, because nothing of it can arrive anywhere sooner. The hosts of a house
    have one ``line`` between them, its ``weather`` and its ``traffic``, and each a pacer, ``ready_s`` for the next.
    """

    name: str
    number: int
    identity: Identity
    node: Node
    address: Address
    line: Line
    rng: Random
    weather: Weather
    traffic: Traffic
    house: int = 0
    news: list[tuple[float, News]] = field(default_factory=list)
    alive: bool = True
    sent_bytes: int = 0
    sent_by_class: list[int] = field(default_factory=lambda: [0] * len(Urgency))
    temper: Temper | None = None
    ends: dict[LinkId, _End] = field(default_factory=dict)
    pinholes: dict[Address, float] = field(default_factory=dict)
    queues: tuple[deque[Send], ...] = field(default_factory=lambda: tuple(deque() for _ in Urgency))
    queued_bytes: int = 0
    ready_s: float = 0.0
    least_way_s: float = inf
    waking: bool = False
    timer_s: float | None = None

    @property
    def free_s(self) -> float:
        """When the next message may leave."""
        return max(self.ready_s, self.traffic.up_s)

    def __repr__(self) -> str:
        return f"Host({self.name!r})"  # hosts and links point at each other: the whole net would be printed


class MemoryNet:
    """The world: hosts, links, and the clock. ``run_until`` moves time."""

    def __init__(self, seed: int | str) -> None:
        self.now = 0.0
        self._seed = seed
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._made = 0
        self._hosts: dict[Address, Host] = {}
        self._houses: dict[int, deque[Host]] = {}
        self._links = 0
        self._cuts: set[frozenset[Address]] = set()

    @property
    def hosts(self) -> list[Host]:
        return list(self._hosts.values())

    def random(self, purpose: str) -> Random:
        """A source of luck for one purpose, so that one more host changes nobody else's."""
        return Random(f"{self._seed}/{purpose}")

    def add(self, name: str, identity: Identity, node: Node, line: Line, house: int = 0) -> Host:
        """One more host; those of one ``house``, unless it is 0, are on one network, behind the line of the first."""
        number = len(self._hosts) + 1
        address = Address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 4000)
        if house:
            address = Address(f"172.{16 + (house >> 8)}.{house & 255}.{number & 255}", 4000 + number)
            node.locate((address,), ())
        rng = self.random(f"host/{name}")
        weather, traffic = Weather(line, self.random(f"weather/{name}")), Traffic()
        if mates := self._houses.get(house):
            line, weather, traffic = mates[0].line, mates[0].weather, mates[0].traffic
        host = Host(name, number, identity, node, address, line, rng, weather, traffic, house)
        self._hosts[address] = host
        if house:
            self._houses.setdefault(house, deque()).append(host)
        self._schedule(self.now + rng.uniform(0, MEASURE_EVERY_S), self._measure, host)
        return host

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Do something at a time."""
        self._schedule(when_s, action)

    def run_until(self, until_s: float) -> None:
        """Let everything happen up to a time."""
        events = self._events
        while events and events[0][0] <= until_s:
            self.now, _, action, arguments = heappop(events)
            action(*arguments)
        self.now = until_s

    def call(self, host: Host, command: Callable[[Node, float], object]) -> None:
        """Let the application of a host say something to its node."""
        if host.alive:
            self._transmit(host)
            command(host.node, self.now)
            self._drain(host)

    def kill(self, host: Host) -> None:
        """End a host without a word: the others notice only by silence."""
        self._transmit(host)
        host.alive = False
        for end in host.ends.values():
            self._schedule(self.now + DEAD_AFTER_S, self._lost, end.peer, end.peer_link)

    def cut(self, these: Iterable[Host], those: Iterable[Host]) -> None:
        """Let nothing pass between two groups until ``heal``: links fall silent and die of it, new ones fail."""
        pairs = [(host, other) for host in these for other in those]
        self._cuts.update(frozenset((host.address, other.address)) for host, other in pairs)
        for end in [end for host in self.hosts for end in host.ends.values()]:
            if not end.severed and self._is_cut(end.host, end.peer):
                end.severed = True
                self._schedule(self.now + DEAD_AFTER_S, self._lost, end.host, end.link)

    def heal(self) -> None:
        """Undo all cuts; links that they have severed stay dead."""
        self._cuts.clear()

    # -- events

    def _schedule(self, when_s: float, action: Callable[..., None], *arguments: object) -> None:
        self._made += 1
        heappush(self._events, (when_s, self._made, action, arguments))

    def _is_cut(self, host: Host, other: Host) -> bool:
        return bool(self._cuts) and frozenset((host.address, other.address)) in self._cuts

    def _drain(self, host: Host) -> None:
        node = host.node
        for output in node.outputs():
            if isinstance(output, Send):
                self._send(host, output)
            else:
                self._carry_out(host, output)
        wanted = node.next_timer()
        if wanted is not None and (host.timer_s is None or wanted < host.timer_s):
            host.timer_s = max(wanted, self.now)
            self._schedule(host.timer_s, self._ring, host)

    def _carry_out(self, host: Host, output: Dial | Close | News) -> None:
        if isinstance(output, Dial):
            self._dial(host, output)
        elif isinstance(output, Close):
            self._close(host, output.link)
        elif len(host.news) < NEWS_MAX:
            host.news.append((self.now, output))

    def _ring(self, host: Host) -> None:
        if host.timer_s is None or host.timer_s > self.now:
            return
        host.timer_s = None
        if host.alive:
            host.node.handle_timer(self.now)
            self._drain(host)

    # -- links

    def _dial(self, host: Host, order: Dial) -> None:
        other = self._hosts.get(order.address)
        pinned = order.peer is None or (other is not None and order.peer == other.identity.key)
        if other is None or not pinned or not other.alive:
            host.pinholes[order.address] = self.now + PINHOLE_S
            self._schedule(self.now + DIAL_FAILS_AFTER_S, self._dial_failed, host, order.address)
            return
        self._knock(host, other, self.now, DIAL_AGAIN_S)

    def _knock(self, host: Host, other: Host, since_s: float, again_s: tuple[float, ...]) -> None:
        """Send a first packet; when it does not pass, again after the times left, until the dial has failed."""
        host.pinholes[other.address] = self.now + PINHOLE_S
        if self._reaches(host, other):
            self._schedule(self.now + 3 * (host.line.delay_s + other.line.delay_s), self._connect, host, other)
        elif again_s:
            self._schedule(since_s + again_s[0], self._knock, host, other, since_s, again_s[1:])
        else:
            self._schedule(since_s + DIAL_FAILS_AFTER_S, self._dial_failed, host, other.address)

    def _reaches(self, host: Host, other: Host) -> bool:
        called_out = other.pinholes.get(host.address, 0.0) > self.now
        open_ = lets_in(other.line.reach, host.line.reach, called_out=called_out)
        return open_ and other.alive and not self._is_cut(host, other)

    def _dial_failed(self, host: Host, address: Address) -> None:
        if host.alive:
            host.node.dial_failed(address, self.now)
            self._drain(host)

    def _connect(self, dialler: Host, acceptor: Host) -> None:
        if not dialler.alive or not acceptor.alive or self._is_cut(dialler, acceptor):
            self._dial_failed(dialler, acceptor.address)
            return
        self._links += 2
        near, far = LinkId(self._links - 1), LinkId(self._links)
        binding = near.to_bytes(16, "big")
        one, two = dialler.line, acceptor.line
        way = (one.delay_s + two.delay_s, one.jitter_s + two.jitter_s, one.loss + two.loss)
        indoors = dialler.house == acceptor.house > 0
        if indoors:
            way = (HOUSE_WAY_S, HOUSE_JITTER_S, 0.0)
        for host in (dialler, acceptor):
            host.least_way_s = min(host.least_way_s, way[0])
        here = dialler.ends[near] = _End(dialler, near, acceptor, far, *way, indoors=indoors)
        there = acceptor.ends[far] = _End(acceptor, far, dialler, near, *way, indoors=indoors)
        here.far, there.far = there, here
        key = PeerId(acceptor.identity.key)
        up = LinkInfo(dialled=True, address=acceptor.address, binding=binding, peer=key)
        port = port_behind(one.reach, dialler.address.port, acceptor.number)
        seen = Address(dialler.address.host, port)
        down = LinkInfo(dialled=False, address=seen, binding=binding, peer=None)
        self.call(dialler, lambda node, now: node.link_up(near, up, now))
        self.call(acceptor, lambda node, now: node.link_up(far, down, now))

    def _close(self, host: Host, link: LinkId) -> None:
        """Hang up once all that was said has left and arrived; the other end learns it then."""
        self._transmit(host)
        end = host.ends.get(link)
        if end is None:
            return
        if end.queued_bytes and host.alive:
            wait_s = max(CLOSE_LOOK_S, host.queued_bytes * 8 / host.line.uplink_bps)
            self._schedule(self.now + wait_s, self._close, host, link)
            return
        arrival_s = max(self.now + end.way_s, *end.last_arrival_s)
        self._schedule(arrival_s, self._unlink, host, link, end)

    def _unlink(self, host: Host, link: LinkId, end: _End) -> None:
        self._transmit(host)
        host.ends.pop(link, None)
        self._lost(end.peer, end.peer_link)

    def _lost(self, host: Host, link: LinkId) -> None:
        self._transmit(host)
        if host.ends.pop(link, None) is not None and host.alive:
            host.node.link_down(link, self.now)
            self._drain(host)

    # -- messages

    def _send(self, host: Host, send: Send) -> None:
        end = host.ends.get(send.link)
        if end is None:
            return
        if host.temper is not None:
            tempered = host.temper(send)
            if tempered is None:
                return
            send = tempered
        if end.indoors:
            self._hand_over(host, end, send)
            return
        self._transmit(host)
        if host.house:
            self._let_mates_transmit(self._houses[host.house])
        if host.free_s <= self.now:
            self._put_on_line(host, end, send, self.now)
            return
        size = len(send.data)
        end.queued_bytes += size
        host.queued_bytes += size
        host.queues[send.urgency].append(send)
        if not host.waking:
            host.waking = True
            self._schedule(host.free_s + host.least_way_s, self._wake, host)

    def _let_mates_transmit(self, house: deque[Host]) -> None:
        """What others of the house have waiting was there before; each is the first of them in turn."""
        house.rotate()
        for mate in house:
            self._transmit(mate)

    def _hand_over(self, host: Host, end: _End, send: Send) -> None:
        """To somebody in the same house: it crosses no line."""
        end.sent_bytes += len(send.data) + HEADER_BYTES
        channel = 1 if send.urgency else 0
        arrival_s = max(self.now + end.way_s + host.rng.random() * end.jitter_s, end.last_arrival_s[channel])
        end.last_arrival_s[channel] = arrival_s
        self._schedule(arrival_s, self._arrive, end.far, send.data)

    def _wake(self, host: Host) -> None:
        self._transmit(host)
        host.waking = host.queued_bytes > 0 and host.alive
        if host.waking:
            self._schedule(host.free_s + host.least_way_s, self._wake, host)

    def _transmit(self, host: Host) -> None:
        """Put on the line what has begun to leave by now, one message after the other."""
        if not host.queued_bytes or host.free_s > self.now or not host.alive:
            return
        for queue in host.queues:
            while queue:
                if host.free_s > self.now:
                    return
                send = queue[0]
                end = self._take_off(host, queue)
                if end is None:
                    continue
                if send.expires_s is not None and send.expires_s < host.free_s:
                    end.dropped_bytes += len(send.data)
                else:
                    self._put_on_line(host, end, send, host.free_s)

    def _drop_late(self, host: Host) -> None:
        """Of each urgency the late messages are the first: all of one urgency may wait equally long."""
        for queue in host.queues:
            while queue and (expires_s := queue[0].expires_s) is not None and expires_s < self.now:
                size = len(queue[0].data)
                end = self._take_off(host, queue)
                if end is not None:
                    end.dropped_bytes += size

    def _take_off(self, host: Host, queue: deque[Send]) -> _End | None:
        """Take the first message off a queue; the end that it was for, if the link is still there."""
        send = queue.popleft()
        size = len(send.data)
        host.queued_bytes -= size
        end = host.ends.get(send.link)
        if end is not None:
            end.queued_bytes -= size
        return end

    def _put_on_line(self, host: Host, end: _End, send: Send, now: float) -> None:
        data, line = send.data, host.line
        size = len(data) + HEADER_BYTES
        way_s = end.way_s + host.rng.random() * end.jitter_s
        if end.loss and (count := resends(end.loss, size, host.rng)):
            way_s += count * (2 * end.way_s + RESEND_S)
            size += count * PACKET_BYTES
        leaves_s = host.weather.clear_at(now) if line.outage_every_s else now
        gone_s = host.traffic.up_s = leaves_s + size * 8 / line.uplink_bps
        pacer = host.node.pacer
        if pacer.rate_bps:
            pacer.spent(size, now)
            host.ready_s = pacer.ready_s(gone_s)
        host.sent_bytes += size
        host.sent_by_class[send.urgency] += size
        end.sent_bytes += size
        arrival_s = gone_s + way_s
        if end.peer.line.downlink_bps < inf:
            arrival_s = self._through_downlink(end.peer, arrival_s, size)
        channel = 1 if send.urgency else 0
        if not line.reorder or host.rng.random() >= line.reorder:
            arrival_s = end.last_arrival_s[channel] = max(arrival_s, end.last_arrival_s[channel])
        self._schedule(arrival_s, self._arrive, end.far, data)
        if line.duplicate and host.rng.random() < line.duplicate:
            self._schedule(arrival_s + way_s, self._arrive, end.far, data)

    def _through_downlink(self, host: Host, at_s: float, size: int) -> float:
        """When a message that reaches a host's line at ``at_s`` is through it."""
        traffic = host.traffic
        traffic.down_s = max(at_s, traffic.down_s) + size * 8 / host.line.downlink_bps
        return traffic.down_s

    def _arrive(self, end: _End, data: bytes) -> None:
        host = end.host
        if end.link not in host.ends:
            return
        if not host.alive or end.severed:
            self._unanswered(end)
            return
        end.received_bytes += len(data)
        host.node.receive(data, end.link, self.now)
        self._drain(host)

    def _unanswered(self, end: _End) -> None:
        """The sender of what came in vain finds out, once."""
        sender = end.peer.ends.get(end.peer_link)
        if sender is not None and not sender.silent:
            sender.silent = True
            self._schedule(self.now + SILENT_AFTER_S, self._fall_silent, end.peer, end.peer_link)

    def _fall_silent(self, host: Host, link: LinkId) -> None:
        if host.alive and link in host.ends:
            host.node.link_silent(link, self.now)
            self._drain(host)

    def _measure(self, host: Host) -> None:
        if not host.alive:
            return
        self._transmit(host)
        self._drop_late(host)
        for link, end in list(host.ends.items()):
            gone_bytes = end.sent_bytes + end.dropped_bytes
            if gone_bytes == end.measured_bytes and not end.queued_bytes:
                continue
            end.measured_bytes = gone_bytes
            stats = LinkStats(
                rtt_s=2 * end.way_s,
                queued_bytes=end.queued_bytes,
                sent_bytes=end.sent_bytes,
                received_bytes=end.received_bytes,
                dropped_bytes=end.dropped_bytes,
            )
            host.node.link_measured(link, stats, self.now)
        self._drain(host)
        self._schedule(self.now + MEASURE_EVERY_S, self._measure, host)
