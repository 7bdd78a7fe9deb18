"""Millions of true, false, damaged and senseless messages for one node: make bench-fuzz

The node watches one stream and broadcasts another, on a clock of the fuzzer's own. Its links are in every state that
a link can be in. Nothing may be raised, and nothing may grow: its containers and the process are measured on the
way. The same seed gives the same run; the last line is one JSON object.
"""

import argparse
import gc
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from swarm import handshake, wire
from swarm.bans import BANS_MAX
from swarm.events import Close, Dial, LinkInfo, LinkStats, Output, Send
from swarm.identity import Identity
from swarm.join import KNOWN_MAX
from swarm.manifest import RenditionInfo
from swarm.membership import Membership
from swarm.node import Node
from swarm.repair import AT_ONCE_MAX
from swarm.settings import NodeSettings
from swarm.units import Address, LinkId, PeerId, StreamId
from swarm.window import PIECES_MAX
from tests.swarm.grammar import Grammar

LINKS = 14
LINKS_MAX = 24
WILD = 4
FLOOD = (0.0005, 2000)
"""How likely a message is sent again and again at once, and how often at most."""

MEASURE_EVERY = 20_000
RSS_SLACK_BYTES = 48 << 20
"""What the process may grow by after the first fifth of a run: the allocator's, not the node's."""

HELD_MAX = 60_000
"""Objects that hang on the node, all bounds together; a run of any length stays at about a third."""

PUBLISH_EVERY_S = 0.2


class Broken(Exception):
    """The node did what it must not; the text says how to see it again."""


class Link:
    """The far end of one link; a ``wild`` one sends what ends it sooner or later."""

    def __init__(self, number: LinkId, info: LinkInfo, *, wild: bool) -> None:
        self.number = number
        self.info = info
        self.wild = wild
        self.asked: deque[int] = deque(maxlen=8)


class Fuzzer:
    """One node, its links, and what has been sent to it."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self.seed = seed
        self.now = 1000.0
        self._identity = Identity(self._rng.randbytes(32))
        self.node = Node(
            identity=self._identity,
            settings=NodeSettings(links_max=LINKS_MAX, uplink_guess_bps=1e7),
            rng=Random(seed),
            wall_offset_s=1_700_000_000.0,
            now=self.now,
        )
        self.watched = Grammar(self._rng, Identity(self._rng.randbytes(32)))
        self._owner = Identity(self._rng.randbytes(32))
        self.broadcast = Grammar(self._rng, self._owner)
        self._links: dict[LinkId, Link] = {}
        self._order: list[Link] = []
        self._people: deque[Identity] = deque(maxlen=32)
        self._count = 0
        self._published = 0
        self._next_piece_s = self.now
        self.sent_bytes = 0
        self.done = 0
        self._measure_at = MEASURE_EVERY
        self.last = b""
        self.closed: Counter[str] = Counter()
        self.node.locate([Address(f"10.9.{network}.1", 4000) for network in range(2)], ())
        self.node.join(self.watched.stream, 0, (Address("10.1.1.1", 4000),), self.now)
        self._go_on_air(1)
        self._carry_out()

    def run(self, messages: int) -> None:
        """Send so many messages. Raises Broken when the node lets an exception out or holds too much."""
        until = self.done + messages
        while self.done < until:
            try:
                self._step()
            except Exception as error:
                again = f"python -m tests.bench.fuzz --seed {self.seed} --messages {self.done + 1}"
                raise Broken(
                    f"after {self.done} messages, at {self.last.hex()[:400]}: {error!r}; again: {again}"
                ) from error
            self.done += 1
            if self.done >= self._measure_at:
                self._measure_at = self.done + MEASURE_EVERY
                self.check_bounds()

    # -- one step

    def _step(self) -> None:
        rng = self._rng
        chance = rng.random()
        if chance < 0.35:
            self._pass_time(rng.choice((0.001, 0.005, 0.005, 0.02)))
        elif chance < 0.3501:
            self._pass_time(rng.choice((1.0, 7.0, 70.0)))
        while len(self._order) < LINKS:
            self._open()
        link = rng.choice(self._order)
        self.last = data = self._data(link)
        self.node.receive(data, link.number, self.now)
        if rng.random() < FLOOD[0]:
            for _ in range(rng.randrange(FLOOD[1])):
                self.node.receive(data, link.number, self.now)
                self.done += 1
        if chance > 0.995:
            self._happen(link)
        self._carry_out()

    def _data(self, link: Link) -> bytes:
        rng = self._rng
        grammar = self.watched if rng.random() < 0.8 else self.broadcast
        if link.asked and rng.random() < 0.5:
            return self.watched.accept(link.asked.popleft())
        chance = rng.random()
        if chance < 0.35:
            return grammar.block()
        if chance < 0.80 or not link.wild:
            return grammar.message()
        if chance < 0.90:
            return grammar.mutate(grammar.message())
        if chance < 0.96:
            return grammar.mutate(grammar.block())
        return grammar.garbage() if chance < 0.99 else grammar.introduction()

    def _happen(self, link: Link) -> None:
        """Something that the driver tells: a link is lost, or measured."""
        rng = self._rng
        if rng.random() < 0.3:
            self._gone(link.number)
            self.node.link_down(link.number, self.now)
            return
        figures = [rng.choice((0, 1, 1 << 20, 1 << 40)) for _ in range(4)]
        stats = LinkStats(
            rtt_s=rng.choice((0.0, 0.02, 5.0)), excess_s=rng.choice((0.0, 5.0)), queued_bytes=figures[0],
            sent_bytes=figures[1], received_bytes=figures[2], dropped_bytes=figures[3],
        )  # fmt: skip
        self.node.link_measured(link.number, stats, self.now)

    def _pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (timer_s := self.node.next_timer()) is not None and timer_s <= end:
            self.now = max(self.now, timer_s)
            self.node.handle_timer(self.now)
            self._carry_out()
        self.now = end
        if self.now >= self._next_piece_s:
            self._next_piece_s = self.now + PUBLISH_EVERY_S
            self.watched.advance()
            self.broadcast.advance()
            self._publish()

    # -- the node's own broadcast

    def _go_on_air(self, epoch: int) -> None:
        k, n = self._rng.choice(((4, 6), (2, 3), (1, 1)))
        rendition = RenditionInfo(number=0, name="", bitrate_bps=800_000, piece_us=200_000, k=k, n=n, media=b"")
        self.node.broadcast(self._owner, title="own", epoch=epoch, renditions=(rendition,), now=self.now)

    def _publish(self) -> None:
        self._published += 1
        if self._published % 2000 == 0:
            self._go_on_air(1 + self._published // 2000)
        self.node.publish(
            StreamId(self._owner.key), 0, self._rng.randbytes(2000), number=self._published,
            key=self._published % 5 == 0, capture_us=int((self.now + 1.7e9) * 1e6), duration_us=200_000, now=self.now,
        )  # fmt: skip

    # -- links

    def _open(self) -> None:
        """A new link, in one of the states that a link can be in."""
        rng = self._rng
        self._count += 1
        number = LinkId(self._count)
        who = self._somebody()
        dialled = rng.random() < 0.2
        address = Address(rng.choice(("10.9.{}.{}", "8.8.{}.{}")).format(rng.randrange(8), rng.randrange(256)), 4000)
        peer = PeerId(who.key) if dialled else None
        info = LinkInfo(dialled=dialled, address=address, binding=number.to_bytes(8, "big"), peer=peer)
        link = self._links[number] = Link(number, info, wild=sum(link.wild for link in self._order) < WILD)
        self._order.append(link)
        self.node.link_up(number, info, self.now)
        if rng.random() < 0.05:
            return
        self.node.receive(self._introduction(link, who), number, self.now)
        if rng.random() < 0.9:
            for grammar in (self.watched, self.broadcast):
                self.node.receive(wire.encode(wire.Interest(tag=grammar.tag, epoch=0, revision=0)), number, self.now)
            self.node.receive(self.watched.manifest(), number, self.now)
        self._carry_out()

    def _somebody(self) -> Identity:
        if self._people and self._rng.random() < 0.2:
            return self._rng.choice(self._people)
        self._people.append(Identity(self._rng.randbytes(32)))
        return self._people[-1]

    def _introduction(self, link: Link, who: Identity) -> bytes:
        if link.info.dialled:
            return wire.encode(handshake.welcome(who, link.info, download_only=False))
        seen = LinkInfo(dialled=True, address=link.info.address, binding=link.info.binding, peer=self.node.key)
        return wire.encode(handshake.hello(who, seen, download_only=self._rng.random() < 0.2))

    def _gone(self, number: LinkId) -> None:
        link = self._links.pop(number, None)
        if link is not None:
            self._order.remove(link)

    def _carry_out(self) -> None:
        for output in self.node.outputs():
            self._take(output)

    def _take(self, output: Output) -> None:
        if isinstance(output, Send):
            self.sent_bytes += len(output.data)
            link = self._links.get(output.link)
            if link is not None and output.data[0] == 7:
                link.asked.append(output.data[9])
        elif isinstance(output, Close):
            self.closed[output.reason.partition(":")[0][:30]] += 1
            self._gone(output.link)
        elif isinstance(output, Dial):
            self.node.dial_failed(output.address, self.now)

    # -- bounds

    def check_bounds(self) -> None:
        """Whatever has a bound is within it. Raises Broken."""
        node = self.node
        sizes = {
            "links": (len(node.connections.links), LINKS_MAX),
            "peers": (len(node.connections.peers), len(node.connections.links)),
            "bans": (len(node.connections.bans), BANS_MAX),
            "outputs": (len(node._out), 0),
        }
        for name, member in zip(("watched", "broadcast"), node.members.values(), strict=True):
            sizes |= {f"{name} {what}": pair for what, pair in _bounds_of(member, len(node.connections.peers))}
        wrong = {name: pair for name, pair in sizes.items() if pair[0] > pair[1]}
        if wrong:
            raise Broken(f"seed {self.seed}, {self.done} messages: (held, most) {wrong}")

    def held(self) -> int:
        """How many things hang on the node, directly or not."""
        seen: set[int] = set()
        found: list[object] = [self.node]
        while found:
            thing = found.pop()
            if id(thing) in seen or isinstance(thing, _NOT_HELD):
                continue
            seen.add(id(thing))
            found.extend(gc.get_referents(thing))
        return len(seen)


_NOT_HELD = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, Fuzzer)


def _bounds_of(member: Membership, peers: int) -> Iterator[tuple[str, tuple[int, int]]]:
    circle, nursery = member.circle, member.outgo.nursery
    yield "pieces", (len(list(circle.window.entries())), PIECES_MAX)
    yield "mates", (len(circle.mates), peers)
    yield "strange children", (len(nursery.everybody() - circle.mates.keys()), 0)
    yield "strange parents", (len(member.feeds.parents() - circle.mates.keys()), 0)
    yield "budgets", (len(member.allowances._budgets.keys() - circle.mates.keys()), 0)
    yield "prospects", (len(member.book.prospects), KNOWN_MAX + 1)
    yield "crowds", (len(member.book._failed), 512)
    yield "bringers", (len(member.book._dialled_until_s), KNOWN_MAX)
    yield "searches", (len(member._gathering._repairs.searches), AT_ONCE_MAX)
    yield "waiting", (len(member._gathering._waiting), 64)
    yield "greeted", (len(member.greetings._greeted), peers)


def rss_bytes() -> int:
    """Resident memory of this process; 0 where the system does not tell."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * 4096 if path.exists() else 0


def fuzz(messages: int, seed: int, *, say: bool = False) -> dict[str, float | int]:
    """Send so many messages to a new node, measuring on the way. Raises Broken."""
    fuzzer, start = Fuzzer(seed), time.perf_counter()
    steps = 10
    rss = 0
    for step in range(1, steps + 1):
        fuzzer.run(messages * step // steps - fuzzer.done)
        fuzzer.check_bounds()
        gc.collect()
        held, resident = fuzzer.held(), rss_bytes()
        if say:
            rate = fuzzer.done / (time.perf_counter() - start)
            print(
                f"{fuzzer.done:>12,} messages  {rate:>8,.0f}/s  {held:>8,} things  {resident >> 20:>5} MiB", flush=True
            )
        if held > HELD_MAX:
            raise Broken(f"seed {seed}: {held} things hang on the node")
        if step > steps // 5 and resident > rss + RSS_SLACK_BYTES:
            raise Broken(f"seed {seed}: the process grew from {rss >> 20} to {resident >> 20} MiB")
        rss = max(resident, rss) if step <= steps // 5 else rss
    spent_s = time.perf_counter() - start
    status = fuzzer.node.status(fuzzer.watched.stream)
    assert status is not None
    return {
        "messages": fuzzer.done,
        "seed": seed,
        "messages_per_s": round(fuzzer.done / spent_s),
        "simulated_s": round(fuzzer.now - 1000.0),
        "links": fuzzer._count,
        "excess": sum(fuzzer.node.excess.values()),
        "banned": fuzzer.node.faults["ProofError"],
        "malformed": fuzzer.node.faults["MalformedMessage"],
        "flooding": fuzzer.node.faults["Flooding"],
        "pieces_ready": status.pieces_ready,
        "equivocations": status.equivocations,
        "things_held": held,
        "rss_mb": resident >> 20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        figures = fuzz(options.messages, options.seed, say=True)
    except Broken as fault:
        sys.exit(str(fault))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
