"""Who is where, by stream: the memory of the gateway's own tracker. Bounded, forgetful, and fair to whoever asks.

An address counts as it was seen, with the port that its owner names. It is told to those only whom it may lead to it:
one of this house to those of this house. Nobody is remembered longer than two and a half intervals.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from random import Random
from typing import Final

from swarm.discovery.announces import pack_peers
from swarm.prefixes import Reach, crowd, is_shared, reach
from swarm.units import Address

INTERVAL_S: Final = 120
MIN_INTERVAL_S: Final = 60
"""What clients are told: how often to come, and how often they may at most."""

KEPT_S: Final = 2.5 * INTERVAL_S
ENTRIES_MAX: Final = 25_000
"""Peers of all streams together: 10,000 announces a minute at the interval above, and some more. They take 25 MB."""

PER_CROWD_MAX: Final = 64
"""Of one stream and one address or prefix: a big household, and no more for whoever wants to drown the others."""

PER_HOST_MAX: Final = 16

_VERSIONS: Final = (4, 6)


@dataclass(slots=True)
class Entry:
    """One peer of one stream."""

    target: bytes
    address: Address
    packed: bytes
    is_source: bool
    until_s: float
    place: int = 0
    """Where in its bag it lies."""


@dataclass(slots=True)
class _Bag:
    """Peers of one stream, one version of IP and one reach: drawn from by luck in a time that does not depend on how
    many there are."""

    entries: list[Entry] = field(default_factory=list)

    def put(self, entry: Entry) -> None:
        entry.place = len(self.entries)
        self.entries.append(entry)

    def take(self, entry: Entry) -> None:
        last = self.entries.pop()
        if last is not entry:
            self.entries[entry.place] = last
            last.place = entry.place


@dataclass(slots=True)
class _Stream:
    bags: dict[tuple[int, Reach], _Bag] = field(default_factory=dict)
    crowds: Counter[str] = field(default_factory=Counter)
    sources: int = 0
    viewers: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to an announce: peers in compact form, by version of IP."""

    sources: int
    viewers: int
    peers: bytes
    peers6: bytes


class Roster:
    """All streams' peers. ``rng`` draws who is told."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._streams: dict[bytes, _Stream] = {}
        self._entries: OrderedDict[tuple[bytes, Address], Entry] = OrderedDict()
        """The one that was heard of longest ago first."""

    def __len__(self) -> int:
        return len(self._entries)

    def enter(self, target: bytes, address: Address, *, is_source: bool, now: float) -> None:
        """Somebody is there, or still there. Who is one too many of a house or a prefix is not remembered."""
        self._forget_old(now)
        self.remove(target, address)
        stream = self._streams.setdefault(target, _Stream())
        name = self._crowd(address)
        if stream.crowds[name] >= (PER_CROWD_MAX if is_shared(name) else PER_HOST_MAX):
            return
        if len(self._entries) >= ENTRIES_MAX:
            self._drop(next(iter(self._entries.values())))
            stream = self._streams.setdefault(target, stream)
        version = 6 if ":" in address.host else 4
        entry = Entry(target, address, pack_peers((address,), version), is_source, now + KEPT_S)
        self._entries[target, address] = entry
        stream.bags.setdefault((version, reach(address)), _Bag()).put(entry)
        stream.crowds[name] += 1
        self._count(stream, entry, 1)

    def remove(self, target: bytes, address: Address) -> None:
        """Somebody is gone."""
        if (entry := self._entries.get((target, address))) is not None:
            self._drop(entry)

    def tell(self, target: bytes, asker: Address, wanted: int, now: float) -> Told:
        """Some of a stream's peers, by luck, whom the asker may reach."""
        self._forget_old(now)
        stream = self._streams.get(target, _Stream())
        distance = reach(asker)
        found = {version: self._draw(stream, version, distance, asker, wanted) for version in _VERSIONS}
        return Told(stream.sources, stream.viewers, found[4], found[6])

    def count(self, target: bytes, now: float) -> tuple[int, int]:
        """Sources and viewers of a stream."""
        self._forget_old(now)
        stream = self._streams.get(target)
        return (stream.sources, stream.viewers) if stream is not None else (0, 0)

    def _draw(self, stream: _Stream, version: int, distance: Reach, asker: Address, wanted: int) -> bytes:
        bags = [bag for (kind, far), bag in stream.bags.items() if kind == version and far >= distance and bag.entries]
        total = sum(len(bag.entries) for bag in bags)
        picked: list[bytes] = []
        for bag in bags:
            share = min(len(bag.entries), -(-wanted * len(bag.entries) // total))
            picked += [entry.packed for entry in self._rng.sample(bag.entries, share) if entry.address != asker]
        return b"".join(picked[:wanted])

    def _forget_old(self, now: float) -> None:
        while self._entries and (entry := next(iter(self._entries.values()))).until_s <= now:
            self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.target, entry.address]
        stream = self._streams[entry.target]
        version = 6 if ":" in entry.address.host else 4
        stream.bags[version, reach(entry.address)].take(entry)
        name = self._crowd(entry.address)
        stream.crowds[name] -= 1
        if not stream.crowds[name]:
            del stream.crowds[name]
        self._count(stream, entry, -1)
        if not stream.crowds:
            del self._streams[entry.target]

    def _count(self, stream: _Stream, entry: Entry, by: int) -> None:
        if entry.is_source:
            stream.sources += by
        else:
            stream.viewers += by

    def _crowd(self, address: Address) -> str:
        """Ports of one private address are one household's, those of one global prefix one owner's."""
        name = crowd(address)
        return name if is_shared(name) else f"={address.host}"
