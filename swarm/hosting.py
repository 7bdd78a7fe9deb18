"""Those who lodge with this node: whom it takes in, the blocks that it gives them, and what it says of its places."""

from math import inf

from swarm import wire
from swarm.adverts import chain, short
from swarm.circle import Circle
from swarm.errors import ProofError
from swarm.events import Urgency
from swarm.limits import Budget
from swarm.peers import Mate
from swarm.units import PeerId
from swarm.window import Entry

FLOWS_S, FLOWS_PIECES = 0.5, 2.0
"""Who has had no newer piece whole for so long, and so many pieces, takes nobody in."""

WAIT_S = 0.3
"""A block that waited longer in the queue is dropped, as on a stripe."""

CATCH_UP_WAIT_S = 1.5
CATCH_UP_AGAIN_S = 5.0
CATCH_UP_PIECES = 40
"""A lodger gets what has come since the last key frame, at most so many pieces, once in so many seconds."""

CATCH_UP_SAVED_S, CATCH_UP_SHARE = 60.0, 1.0
"""And all lodgers together so many seconds of the stream at once, and so many times the stream in the long run."""


class Lodgers:
    """The host's side of one swarm's household."""

    def __init__(self, circle: Circle) -> None:
        self._circle = circle
        self._said: dict[PeerId, wire.Hosting] = {}
        self._caught_up_s: dict[PeerId, float] = {}
        self._catch_up_left = Budget(CATCH_UP_SAVED_S, CATCH_UP_SHARE)

    def take_in(self, mate: Mate, since: int, now: float) -> None:
        """Somebody asks to lodge here, from piece ``since`` on."""
        circle, key = self._circle, mate.peer.key
        house = circle.household
        free = flows(circle, now) and self._places() and short(key) not in above(circle)
        if not circle.is_housemate(mate) or not (key in house.lodgers or free):
            circle.say(mate, wire.Unlodge(tag=circle.tag))
            return
        house.lodgers[key] = None
        circle.say(mate, wire.Lodged(tag=circle.tag))
        if now - self._caught_up_s.get(key, -inf) >= CATCH_UP_AGAIN_S:
            self._caught_up_s = {k: s for k, s in self._caught_up_s.items() if now - s < CATCH_UP_AGAIN_S}
            self._caught_up_s[key] = now
            self._catch_up(mate, since, now)

    def gone(self, key: PeerId) -> None:
        """A mate has left, or wants nothing more."""
        self._circle.household.lodgers.pop(key, None)
        self._said.pop(key, None)

    def silent(self, key: PeerId) -> None:
        """A mate acknowledges nothing: should it be alive after all, it is to know that it lodges here no more."""
        circle = self._circle
        if key in circle.household.lodgers:
            circle.say(circle.mates[key], wire.Unlodge(tag=circle.tag))
        self.gone(key)

    def forward(self, entry: Entry, index: int, sender: PeerId | None, now: float) -> None:
        """Pass a block that is new and needed to all of them."""
        for key in self._circle.household.lodgers:
            mate = self._circle.mates.get(key)
            if mate is not None and key != sender:
                self._circle.pass_on(mate, entry.messages[index], Urgency.TRUNK, now + WAIT_S)

    def made(self, entry: Entry, now: float) -> None:
        """A piece was made here: they need as many blocks as rebuild it."""
        for index in range(self._circle.k if self._circle.household.lodgers else 0):
            self.forward(entry, index, None, now)

    def tick(self, near: list[Mate], now: float) -> None:
        """Say what can be had here to those housemates who do not know yet; who is none any more has to go."""
        circle, house = self._circle, self._circle.household
        if not near and not self._said and not house.lodgers:
            return
        for key in [key for key in house.lodgers if key not in circle.mates]:
            self.gone(key)
        said = wire.Hosting(
            tag=circle.tag,
            places=self._places() if flows(circle, now) else 0,
            gives=self._gives(),
            above=above(circle),
        )
        present = [mate for mate in near if mate.leaves_at_s is None]
        self._said = {m.peer.key: self._said[m.peer.key] for m in present if m.peer.key in self._said}
        for mate in present:
            before = self._said.get(mate.peer.key)
            if before != said and (before is not None or said.places):
                self._said[mate.peer.key] = said
                circle.say(mate, said)

    def _catch_up(self, mate: Mate, since: int, now: float) -> None:
        circle = self._circle
        window, before = circle.window, mate.bytes_out
        if self._catch_up_left.left(circle.bitrate_bps, now) <= 0:
            return
        for entry in window.since(max(since or window.start_key(), window.newest - CATCH_UP_PIECES)):
            if entry.header is None or not self._grown(entry):
                continue
            for index in list(entry.messages)[: entry.header.k]:
                circle.pass_on(mate, entry.messages[index], Urgency.CATCH_UP, now + CATCH_UP_WAIT_S)
        self._catch_up_left.spend(mate.bytes_out - before)

    def _grown(self, entry: Entry) -> bool:
        """Have the blocks of a whole piece. That the source signed a broken code is no fault of the lodger."""
        try:
            self._circle.window.regrow(entry)
        except ProofError:
            return False
        return True

    def _places(self) -> int:
        return self._circle.household.places(self._circle.stripe_bps * self._circle.k)

    def _gives(self) -> bool:
        """Whether who fetches the stream for us relays it to others."""
        circle = self._circle
        host = circle.mates.get(circle.household.host) if circle.household.host is not None else None
        return circle.gives if host is None or host.hosting is None else host.hosting.gives


def above(circle: Circle) -> tuple[bytes, ...]:
    """With whom this node lodges, and it in turn, nearest first."""
    host = circle.mates.get(circle.household.host) if circle.household.host is not None else None
    return chain(host.peer.key, host.hosting.above) if host is not None and host.hosting is not None else ()


def flows(circle: Circle, now: float) -> bool:
    """Whether pieces become whole here, one after the other."""
    newest = circle.window.get(circle.window.newest_complete)
    if newest is None or newest.completed_s is None:
        return False
    return circle.is_source or now - newest.completed_s < FLOWS_S + FLOWS_PIECES * circle.beat_s
