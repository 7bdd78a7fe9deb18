"""One household: the mates on this node's own network, one of which fetches the stream for all.

A stream that each fetched for itself would cross the household's line as often. So who has it hosts the others, over
links that cost the line nothing; what it can feed so is bounded, and beyond that lodgers host lodgers.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from swarm.adverts import short
from swarm.messages import Hosting
from swarm.peers import Mate
from swarm.units import PeerId, SwarmTag

HOSTED_BPS = 24e6
"""What a node sends to its lodgers at most: a home's Wi-Fi and two cores carry it beside all else."""

PLACES_MAX = 16
DEPTH_MAX = 4
"""So many hosts may be above a lodger."""

IDLE_RANK = 1 << 64
"""Added to the rank of who relays nothing to others: the household's line is better in other hands."""


@dataclass(slots=True)
class Household:
    """With whom this node lodges, if with anybody, and who lodges with it.

    While it ``doubts`` its host, of which nothing comes, it fetches from outside too. Until ``alone_from_s`` who has
    reason to do so waits: one after the other of a household does, and the first becomes the others' host.
    """

    host: PeerId | None = None
    doubts: bool = False
    lodgers: dict[PeerId, None] = field(default_factory=dict)
    """In the order of their coming; a set's order would differ from run to run."""

    alone_from_s: float = float("-inf")
    near: int = 0
    """How many housemates there were at the last look."""

    @property
    def lodges(self) -> bool:
        """Whether a host gives this node the stream."""
        return self.host is not None and not self.doubts

    def rests(self, now: float) -> bool:
        """Whether this node fetches nothing from outside."""
        return self.lodges or now < self.alone_from_s

    def role(self, key: PeerId) -> Literal["host", "lodger"] | None:
        """What a mate is to this node."""
        if key == self.host:
            return "host"
        return "lodger" if key in self.lodgers else None

    def places(self, stream_bps: float) -> int:
        """How many more may lodge here with a stream of this rate."""
        most = int(HOSTED_BPS / stream_bps) if stream_bps > 0 else 0
        return max(0, min(PLACES_MAX, max(1, most)) - len(self.lodgers))


def rank(key: bytes, tag: SwarmTag, *, gives: bool, roots: Collection[bytes] = ()) -> int:
    """Of two that fetch a stream from outside the lower one hosts the other; a source is always the lowest.

    Another order for each stream, so that no machine bears all of them. ``key`` as in chains of ancestors; ``gives``:
    whether it relays to others; ``roots``: the sources that are known to be in this household.
    """
    if key in roots:
        return -1
    return IDLE_RANK * (not gives) + (int.from_bytes(key) ^ int.from_bytes(tag[: len(key)]))


def root_of(mate: Mate, said: Hosting) -> bytes:
    """Who fetches the stream from outside for this mate: it, or the last above it."""
    return said.above[-1] if said.above else short(mate.peer.key)


def hosts(mates: Iterable[Mate], shunned: Collection[bytes], *, below: float, tag: SwarmTag) -> list[Mate]:
    """Of these housemates those with whom this node may lodge, the nearest to the outside first.

    They have a place, are alive, are none of the ``shunned`` and lodge with none, and are hosted by somebody of a rank
    below ``below``.
    """
    mates = list(mates)
    roots = {short(mate.peer.key) for mate in mates if mate.is_source}
    found = []
    for mate in mates:
        said = mate.hosting
        if said is None or not said.places or mate.silent_since_s is not None or mate.leaves_at_s is not None:
            continue
        chain = {short(mate.peer.key), *said.above}
        order = rank(root_of(mate, said), tag, gives=said.gives, roots=roots)
        if chain.isdisjoint(shunned) and len(said.above) < DEPTH_MAX and order < below:
            found.append((len(said.above), mate.peer.rtt_s, mate))
    return [mate for _, _, mate in sorted(found, key=lambda one: one[:2])]
