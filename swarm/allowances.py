"""What neighbours get of one swarm's bytes at their own wish, each within its budget: a start, repair, and the past.

What goes down a stripe is no matter of this: a place on it was given, and all of it is due.
"""

from dataclasses import replace

from swarm import wire
from swarm.circle import Circle
from swarm.limits import Budgets
from swarm.loans import Loans
from swarm.outgo import Outgo
from swarm.peers import Mate
from swarm.units import PeerId


class Allowances:
    """The budgets of those who have asked for something, and their requests."""

    def __init__(self, circle: Circle, outgo: Outgo) -> None:
        self._circle = circle
        self._outgo = outgo
        self._loans = Loans(circle, outgo)
        self._budgets: dict[PeerId, Budgets] = {}

    def subscribe(self, mate: Mate, message: wire.Subscribe, now: float) -> None:
        """A mate that comes and goes is caught up within its budget, and otherwise gets what is new only."""
        circle, budget = self._circle, self._budget(mate).catch_up
        if budget.left(circle.bitrate_bps, now) <= 0:
            message = replace(message, since=circle.window.newest + 1)
        before = mate.bytes_out
        self._outgo.subscribe(mate, message, now)
        budget.spend(mate.bytes_out - before)

    def want(self, mate: Mate, message: wire.Want, now: float) -> None:
        """Repair within the mate's budget."""
        circle, budget = self._circle, self._budget(mate).repair
        if self._loans.takes(mate, message, self._budget(mate).past, now):
            return
        if budget.left(circle.bitrate_bps, now) <= 0:
            circle.say(mate, wire.Sorry(tag=circle.tag, number=message.number))
            return
        before = mate.bytes_out
        self._outgo.wanted(mate, message, now)
        budget.spend(mate.bytes_out - before)

    def lend(self, number: int, record: bytes | None, now: float) -> None:
        """What the application has kept of an old piece that was wanted: signed header and payload, or nothing."""
        for mate, size_bytes in self._loans.give(number, record, now):
            self._budget(mate).past.spend(size_bytes)

    def forget(self, key: PeerId) -> None:
        """A mate is gone."""
        self._budgets.pop(key, None)

    def _budget(self, mate: Mate) -> Budgets:
        return self._budgets.setdefault(mate.peer.key, Budgets())
