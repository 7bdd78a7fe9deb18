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
from dataclasses import dataclass, field
from enum import Enum, auto

from swarm.prefixes import Reach, crowd, reach
from swarm.units import Access, Address

TELLERS_MAX = 16
"""Neighbours whose word on my address counts, the newest ones."""

TELLERS_LEAST = 2
"""One neighbour's word says nothing of what others see."""

CALLED_S = 300.0
"""A NAT may let in for so long whom this host has sent to; RFC 4787 (REQ-5) asks for two minutes, some give five."""

CALLED_MAX = 512


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
class Vantage:
    """What is known of this node's own place, and the verdict, ``access``."""

    access: Access = Access.UNKNOWN
    _told: dict[str, Address] = field(default_factory=dict)
    _called_s: dict[str, float] = field(default_factory=dict)
    _seen: Address | None = None
    _farthest: Reach | None = None

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
            self._farthest = max(self._farthest or Reach.MACHINE, reach(address))
            self._judge()

    def told(self, teller: Address, seen: Address) -> None:
        """A peer that was dialled tells at which address it sees this node; those of one prefix have one voice."""
        name = crowd(teller)
        self._told.pop(name, None)
        if len(self._told) >= TELLERS_MAX:
            del self._told[next(iter(self._told))]
        self._told[name] = seen
        self._judge()

    def _judge(self) -> None:
        """Nobody is believed alone: the address that more than half of them see is the one that all see."""
        kinds = Counter((reach(seen), ":" in seen.host) for seen in self._told.values())
        kind = max(kinds, key=lambda kind: (kind[0], kinds[kind]), default=None)
        views = [seen for seen in self._told.values() if (reach(seen), ":" in seen.host) == kind]
        seen, count = Counter(views).most_common(1)[0] if views else (None, 0)
        if seen is not None and self._seen is not None and seen.host != self._seen.host and 2 * count > len(views):
            self._farthest = None  # another network: what reached me there says nothing of here
        if seen is not None and (self._seen is None or 2 * count > len(views)):
            self._seen = seen
        if len(views) >= TELLERS_LEAST and 2 * count <= len(views):
            self.access = Access.HARD
        elif self._farthest is not None and (kind is None or self._farthest >= kind[0]):
            self.access = Access.OPEN
        else:
            self.access = Access.CONE if len(views) >= TELLERS_LEAST else Access.UNKNOWN
