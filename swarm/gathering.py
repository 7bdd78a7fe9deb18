"""Pieces coming in: blocks verified and passed on, whole pieces handed out, missing ones asked for or given up."""

from collections.abc import Sequence

from swarm import wire
from swarm.circle import Circle
from swarm.events import Equivocation, PieceLost
from swarm.feeds import STARVED_S, Feeds
from swarm.intake import Intake
from swarm.outgo import Outgo
from swarm.peers import Mate
from swarm.repair import PATIENCE_S, Repairs, alive
from swarm.roof import Roof
from swarm.units import Stripe
from swarm.window import Entry, Verdict

ASKED_AT_ONCE = 2
"""Neighbours asked for one piece at a time: one of them may be dead, or lack the same blocks."""

USUAL_SPREADS = 4
"""A piece that takes longer than usual by more than so many times the usual difference is no usual one."""

LODGER_PATIENCE_S = 0.3
"""A lodger asks for what is late this much later than usual, PATIENCE_S being for others: its host does so first."""

LENIENT_SHARE = 0.25
"""Where this machine is behind, it waits longer by no more than this share of a piece's life: else it never asks."""

WAITING_MAX = 64
"""Pieces held back until the manifest of their epoch is known, or their key."""


class Gathering:
    """The way of a block through this node, and what is done when it does not come."""

    def __init__(self, circle: Circle, feeds: Feeds, intake: Intake, outgo: Outgo, roof: Roof) -> None:
        self._circle = circle
        self._feeds = feeds
        self._intake = intake
        self._outgo = outgo
        self._roof = roof
        self._repairs = Repairs()
        self._waiting: list[Entry] = []
        self.payload_bytes = 0
        self.ready = 0
        self.lost = 0
        self.blocks = 0
        self.duplicates = 0
        self.surplus = 0
        self.delay_s: float | None = None

    def receive(self, mate: Mate, data: bytes, now: float) -> Stripe | None:
        """A block message, and the stripe that it belongs to, None when it comes too late.

        Raises RemoteError when it does not hold.
        """
        mate.bytes_in += len(data)
        mate.heard(now)
        verdict, entry, index = self._circle.window.admit(data, now)
        if entry is None:
            self._report_equivocations()
            return None
        self._feeds.arrived(mate, entry, index, now)
        self._roof.arrived(mate.peer.key, entry.number, now)
        if verdict is Verdict.DUPLICATE:
            self.duplicates += 1
            if mate.peer.key in self._feeds.feeding(Stripe(index)):
                self._repairs.came_after_all(entry)
            return Stripe(index)
        self.blocks += 1
        self.surplus += verdict is Verdict.NEW and entry.payload is not None
        self._feeds.last_block_s = now
        self._outgo.forward(entry, index, mate.peer.key, now)
        if verdict is Verdict.COMPLETED or entry.payload is None:
            self._roof.forward(entry, index, mate.peer.key, now)
        if verdict is Verdict.COMPLETED:
            self._completed(entry, now)
        return Stripe(index)

    def sorry(self, mate: Mate, number: int, now: float) -> None:
        """The neighbour asked for a piece does not have it."""
        self._repairs.failed(number, mate.peer.key, now)

    def shift_delay(self, by_s: float) -> None:
        """The clock by which the delay was measured was wrong by so much."""
        if self.delay_s is not None:
            self.delay_s += by_s

    def release(self) -> None:
        """The manifest has changed: hand out what waited for it."""
        waiting, self._waiting = self._waiting, []
        for entry in waiting:
            self._hand_out_or_wait(entry)

    def tick(self, now: float) -> None:
        """Ask for what is late, give up what is too late."""
        circle = self._circle
        if self._starving(now):
            circle.window.expect_next(now)
            self._feeds.last_block_s = now - STARVED_S / 2
        patience_s = LODGER_PATIENCE_S if circle.household.lodges else PATIENCE_S
        patience_s += min(LENIENT_SHARE * circle.settings.give_up_s, circle.strain.lenience_s)
        due = self._repairs.due(circle.window.incomplete(), now, patience_s)
        if due:
            mates = alive(circle.mates.values(), self._intake.suspected(now), now)
            for entry in due:
                self._want(entry, mates, now)
        for entry in circle.window.give_up(now - circle.settings.give_up_s):
            self.lost += 1
            circle.order(PieceLost(stream=circle.stream, rendition=circle.rendition, number=entry.number))

    def made(self, payload: bytes) -> None:
        """Count a piece of our own."""
        self.ready += 1
        self.payload_bytes += len(payload)

    def _report_equivocations(self) -> None:
        circle = self._circle
        for number, headers in circle.window.take_evidence():
            circle.order(Equivocation(stream=circle.stream, rendition=circle.rendition, number=number, headers=headers))

    def _want(self, entry: Entry, mates: Sequence[Mate], now: float) -> None:
        """Ask two at once, each for other blocks: together they are asked for one or two more than are missing."""
        circle = self._circle
        if not self._repairs.searches[entry.number].tries:
            self._roof.missed(now)
        k, n = (entry.header.k, entry.header.n) if entry.header else (circle.k, circle.n)
        missing = k - len(entry.messages)
        asked = self._repairs.ask(entry, mates, count=min(ASKED_AT_ONCE, missing), rng=circle.rng, now=now)
        lacking = [index for index in range(n) if not entry.held >> index & 1]
        lacking.sort(key=lambda _: circle.rng.random())
        each = missing if len(asked) == 1 else missing // 2 + 1
        for at, mate in enumerate(asked):
            mine = sum(1 << index for index in lacking[at :: len(asked)])
            want = wire.Want(tag=circle.tag, number=entry.number, held=~mine & (1 << n) - 1, count=each)
            circle.say(mate, want)

    def _starving(self, now: float) -> bool:
        """Nothing comes, and some neighbour tells of newer pieces."""
        if now - self._feeds.last_block_s < STARVED_S or not self._circle.k:
            return False
        newest = self._circle.window.newest
        mates = self._circle.mates.values()
        return any(m.advert is not None and m.fresh(now) and m.advert.newest > newest for m in mates)

    def _completed(self, entry: Entry, now: float) -> None:
        assert entry.header is not None
        assert entry.payload is not None
        circle = self._circle
        self._repairs.completed(entry, now)
        self._intake.usual_s = self._repairs.usual_s + USUAL_SPREADS * self._repairs.spread_s
        self._outgo.heal(entry, now)
        delay_s = circle.delay_s(entry.header, now) + entry.header.duration_us / 1e6
        self.delay_s = delay_s if self.delay_s is None else self.delay_s + 0.1 * (delay_s - self.delay_s)
        circle.weigh(entry.header)
        self.made(entry.payload)
        self._hand_out_or_wait(entry)

    def _hand_out_or_wait(self, entry: Entry) -> None:
        """Pieces wait for the manifest of their epoch, and for a key that is on its way."""
        circle = self._circle
        assert entry.header is not None
        assert entry.payload is not None
        news = None
        if entry.header.epoch <= circle.manifest_version[0]:
            news = circle.ready(entry.header, entry.header_bytes, entry.payload)
        if news is None or (not news.payload and circle.keyring.waits):
            self._waiting = [*self._waiting[-WAITING_MAX + 1 :], entry]
        else:
            circle.order(news)
