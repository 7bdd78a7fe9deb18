"""Who can reach whom through which NATs (RFC 4787), and what stands before this node itself.

A peer learns what others see of it. Links that come in from where it never called show that it is open. Neighbours
that see it at different ports show a NAT with a mapping for each peer: there nobody can reach it, and it reaches only
who is open. In between, behind the common NAT that shows all the same port and lets in who was called, two peers meet
when both dial at once; a neighbour of both tells the one of the other.

                     dials
             open  unknown  cone  hard        together: both dial, at a neighbour's word
    open     alone together together beckons   beckons: only the other one dials, at a neighbour's word
    unknown  alone together together never
    cone     alone together together never
    hard     alone alone    never    never
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto

from swarm.messages import Home
from swarm.prefixes import Reach, crowd, is_neighbouring, reach
from swarm.units import Access, Address

TELLERS_MAX = 16
"""Neighbours whose word on my address counts, the newest ones."""

TELLERS_LEAST = 2
"""One neighbour's word says nothing of what others see."""

CALLED_S = 300.0
"""A NAT may let in for so long whom this host has sent to; RFC 4787 (REQ-5) asks for two minutes, some give five."""

CALLED_MAX = 512

HOUSED_RTT_S = 0.05
"""Who is farther away is on this network by way of a tunnel only. It is also the guess before anything is measured."""

BEST_FIRST = (Access.OPEN, Access.CONE, Access.HARD)
"""Of the address families the one by which more can reach this node counts."""


class Way(Enum):
    """How two peers come together."""

    ALONE = auto()
    TOGETHER = auto()
    BECKON = auto()
    NEVER = auto()


def way(mine: Access, theirs: Access) -> Way:
    """How I get a link to a peer."""
    if theirs is Access.OPEN:
        return Way.ALONE
    if theirs is Access.HARD:
        return Way.BECKON if mine is Access.OPEN else Way.NEVER
    if mine is Access.HARD:
        return Way.ALONE if theirs is Access.UNKNOWN else Way.NEVER
    return Way.TOGETHER


def can_meet(one: Access, other: Access) -> bool:
    """Whether it is worth naming the one to the other."""
    return way(one, other) is not Way.NEVER


@dataclass(slots=True)
class _View:
    """This node's place in one address family."""

    access: Access = Access.UNKNOWN
    told: dict[str, Address] = field(default_factory=dict)
    seen: Address | None = None
    farthest: Reach | None = None

    def judge(self) -> None:
        """Nobody is believed alone: the address that more than half of them see is the one that all see."""
        kinds = Counter(reach(seen) for seen in self.told.values())
        kind = max(kinds, default=None)
        views = [seen for seen in self.told.values() if reach(seen) == kind]
        seen, count = Counter(views).most_common(1)[0] if views else (None, 0)
        if seen is not None and self.seen is not None and seen.host != self.seen.host and 2 * count > len(views):
            self.farthest = None  # another network: what reached me there says nothing of here
        if seen is not None and (self.seen is None or 2 * count > len(views)):
            self.seen = seen
        if len(views) >= TELLERS_LEAST and 2 * count <= len(views):
            self.access = Access.HARD
        elif self.farthest is not None and (kind is None or self.farthest >= kind):
            self.access = Access.OPEN
        else:
            self.access = Access.CONE if len(views) >= TELLERS_LEAST else Access.UNKNOWN


@dataclass(slots=True)
class Vantage:
    """What is known of this node's own place, in each address family; ``access`` is the best of them."""

    access: Access = Access.UNKNOWN
    _views: tuple[_View, _View] = field(default_factory=lambda: (_View(), _View()))
    _own: tuple[Address, ...] = ()
    _forwarded: tuple[Address, ...] = ()
    _called_s: dict[str, float] = field(default_factory=dict)

    def called(self, address: Address, now: float) -> None:
        """This node sends to that address: its NAT, if there is one, lets answers in."""
        name = crowd(address)
        self._called_s.pop(name, None)
        if len(self._called_s) >= CALLED_MAX:
            del self._called_s[next(iter(self._called_s))]
        self._called_s[name] = now

    def came_in(self, address: Address, now: float) -> None:
        """A peer that proved its key reached this node from there."""
        if now - self._called_s.get(crowd(address), float("-inf")) > CALLED_S:
            view = self._views[address.is_v6]
            view.farthest = max(view.farthest or Reach.MACHINE, reach(address))
            self._judge(view)

    def told(self, teller: Address, seen: Address) -> None:
        """A peer that was dialled tells at which address it sees this node; those of one prefix have one voice."""
        name, view = crowd(teller), self._views[seen.is_v6]
        view.told.pop(name, None)
        if len(view.told) >= TELLERS_MAX:
            del view.told[next(iter(view.told))]
        view.told[name] = seen
        self._judge(view)

    def moved(self) -> None:
        """This node is in another network: nothing of what was seen holds."""
        self._views = (_View(), _View())
        self._called_s.clear()
        self._judge(self._views[False])

    def located(self, own: Collection[Address], forwarded: Collection[Address]) -> None:
        """The machine's own addresses, and those at which a router lets everybody in, as it or its owner says."""
        self._own, self._forwarded = tuple(own), tuple(forwarded)
        self._judge(self._views[False])

    @property
    def is_located(self) -> bool:
        """Whether this machine's own addresses are known."""
        return bool(self._own)

    def houses(self, address: Address, rtt_s: float = 0.0) -> bool:
        """Whether an address is on this machine's own network, behind the same router, and as near as that."""
        return rtt_s <= HOUSED_RTT_S and any(is_neighbouring(own, address) for own in self._own)

    def access_in(self, *, v6: bool) -> Access:
        """What stands before this node in one address family."""
        if self._forwarded and self._forwarding(v6=v6) is not None:
            return Access.OPEN
        return self._views[v6].access

    def homes(self) -> tuple[Home, ...]:
        """Where this node can be dialled, an address of each family that it has a global one of."""
        found = []
        for v6 in (True, False):
            address = self._forwarding(v6=v6) or self._views[v6].seen
            own = next((own for own in self._own if own.is_v6 is v6 and reach(own) is Reach.WORLD), None)
            if (there := address or own) is not None:
                found.append(Home(there, self.access_in(v6=v6)))
        return tuple(found)

    def seen_in(self, *, v6: bool) -> Address | None:
        """Where others see this node in one address family."""
        return self._views[v6].seen

    def _forwarding(self, *, v6: bool) -> Address | None:
        """The address that leads here from everywhere; none behind a second NAT, where others see another host."""
        seen = self._views[v6].seen
        there = (a for a in self._forwarded if a.is_v6 is v6 and (seen is None or seen.host == a.host))
        return next(there, None)

    @property
    def is_forwarded(self) -> bool:
        """Whether a router lets everybody in to this node."""
        return any(self._forwarding(v6=v6) is not None for v6 in (False, True))

    def _judge(self, view: _View) -> None:
        view.judge()
        here = {self.access_in(v6=v6) for v6 in (False, True)}
        self.access = next((access for access in BEST_FIRST if access in here), Access.UNKNOWN)
