"""With whom this node lodges: a housemate that gives it the stream whole, so that it fetches nothing from outside.

    fetches --lodge--> asked --lodged--> lodges --(nothing comes)--> doubts --(it comes again)--> lodges
                                                                        |
                                                          --(others give, unlodge, gone)--> fetches

A lodger has no parents and no children: the household has one line, and the host offers it to the swarm.
"""

from math import inf

from swarm import household, wire
from swarm.adverts import short
from swarm.circle import Circle
from swarm.hosting import flows
from swarm.intake import Intake
from swarm.peers import Mate
from swarm.stripes import REST_S, Rest
from swarm.units import PeerId

ANSWER_S = 1.0
"""An answer that takes longer does not come: on a network of one house it takes milliseconds."""

PATIENCE_S, PATIENCE_PIECES = 0.3, 1.0
"""A host from which nothing came for so long, and so many pieces, has nothing itself, is dead, or the source pauses."""

PROOF_PIECES = 2
"""So many whole pieces that came while the host gave nothing show that it is not the source that pauses."""

LAG_S, LAG_PIECES = 1.0, 2
"""A host that is so long, and so many pieces, behind what most neighbours outside tell of is too slow."""

TRIED_S = 5.0
"""So soon after moving in a newcomer is behind in any case."""

TURN_S = 0.3
"""For each in the household that comes before it, who doubts its host waits so long before it turns outside."""

TURNS_MAX = 6
MISSES_MOST, MISSES_FADE_PER_S = 10.0, 0.5
"""A host of whose pieces so many had to be asked for elsewhere, less what time has forgiven, keeps something back."""

REST_MOST_S = 120.0
"""A host that has failed is left alone for longer each time, at most so long."""

GOOD_FOR = 4
"""A host that was good for so many times its last rest has earned a new beginning."""

FAILED_MOST, FAILED_FADES_S = 5.0, 20.0
"""After so many hosts that failed, less one in so many seconds, none is looked for during ``PAUSE_S``."""

PAUSE_S = 60.0


class Lodging:
    """The lodger's side of one swarm's household."""

    def __init__(self, circle: Circle, intake: Intake) -> None:
        self._circle = circle
        self._intake = intake
        self._asked: PeerId | None = None
        self._answer_by_s = 0.0
        self._moved_in_s = 0.0
        self._heard_s = 0.0
        self._newest = _NONE
        self._doubted_at = 0
        self._misses = _Leak(MISSES_FADE_PER_S)
        self._failed = _Leak(1 / FAILED_FADES_S)
        self._seek_from_s = -inf
        self._rests: dict[PeerId, Rest] = {}

    def lodged(self, mate: Mate, now: float) -> None:
        """The host has taken me in: nothing more is needed from outside, or from a former one."""
        circle, house = self._circle, self._circle.household
        if self._asked != mate.peer.key:
            circle.say(mate, wire.Unlodge(tag=circle.tag))
            return
        if house.host is not None:
            self._leave(now)
        self._asked = None
        house.host = mate.peer.key
        self._heard_s = self._moved_in_s = now
        self._misses.empty()
        self._newest = _NONE
        self._intake.rest()

    def gone(self, key: PeerId, now: float) -> None:
        """A mate has left, or has no place for me, or none any more."""
        if self._asked == key:
            self._asked = None
            self._rest(key, now)
        if self._circle.household.host == key:
            self._fail(now)

    def arrived(self, key: PeerId, number: int, now: float) -> None:
        """A block of this piece came from a mate; that a host gives shows by pieces that are newer than its last."""
        house, piece = self._circle.household, (self._circle.window.epoch, number)
        if key == house.host and piece > self._newest:
            self._newest, self._heard_s = piece, now
            if house.doubts:
                house.doubts = False
                self._intake.rest()

    def missed(self, now: float) -> None:
        """A piece has to be asked for, whether or not it is the host's fault."""
        self._misses.add(now)

    def tick(self, near: list[Mate], now: float) -> None:
        """Look whether the host still gives, and for one when there is none."""
        house = self._circle.household
        if not near and house.host is None and self._asked is None:
            return
        host = self._circle.mates.get(house.host) if house.host is not None else None
        if host is not None:
            self._watch(host, now)
        if not house.lodges:
            self._seek(near, now)

    def _watch(self, host: Mate, now: float) -> None:
        circle, house = self._circle, self._circle.household
        said = host.hosting
        if self._fails(now):
            self._fail(now)
        elif said is not None and (short(circle.me) in said.above or (circle.gives and not said.gives)):
            self._leave(now)  # a circle of hosts, or a line that I can offer and my host does not
        elif not circle.vantage.houses(host.peer.address):
            self._leave(now)
        elif not house.doubts and now - self._heard_s > PATIENCE_S + PATIENCE_PIECES * circle.beat_s:
            house.doubts, self._doubted_at = True, circle.window.newest_complete
            self._take_turn(host.peer.key, now)

    def _fails(self, now: float) -> bool:
        """Whether the host gives too little, though there is more to be had."""
        newest = self._circle.window.newest_complete
        others_give = self._circle.household.doubts and newest >= self._doubted_at + PROOF_PIECES
        return others_give or self._misses.level(now) >= MISSES_MOST or self._lags(now)

    def _lags(self, now: float) -> bool:
        circle = self._circle
        if now - self._moved_in_s < TRIED_S:
            return False
        least = circle.window.newest_complete + LAG_PIECES + LAG_S / circle.piece_s
        outside = [mate for mate in circle.mates.values() if not circle.is_housemate(mate)]
        told = [mate.advert.newest for mate in outside if mate.advert and mate.fresh(now)]
        return 2 * sum(newest > least for newest in told) > len(told)

    def _seek(self, near: list[Mate], now: float) -> None:
        """Ask the best host; who gets the stream already asks only one that comes before it."""
        circle = self._circle
        if self._asked is not None:
            if now < self._answer_by_s:
                return
            self._rest(self._asked, now)
            self._asked = None
        if now < self._seek_from_s:
            return
        below = self._rank() if flows(circle, now) else inf
        # Who depends on the host that I doubt has no more than I.
        shunned = {short(key) for key in (circle.me, circle.household.host) if key is not None}
        for mate in household.hosts(near, shunned, below=below, tag=circle.tag):
            rest = self._rests.get(mate.peer.key)
            if rest is None or rest.until_s <= now:
                self._asked, self._answer_by_s = mate.peer.key, now + ANSWER_S
                circle.say(mate, wire.Lodge(tag=circle.tag, since=self._intake.since()))
                return

    def _fail(self, now: float) -> None:
        """The host is no good one, or is gone."""
        host = self._circle.household.host
        assert host is not None
        self._failed.add(now)
        if self._failed.level(now) >= FAILED_MOST:
            self._failed.empty()
            self._seek_from_s = now + PAUSE_S
        self._rest(host, now)
        self._leave(now)

    def _leave(self, now: float) -> None:
        """Be without a host."""
        circle, house = self._circle, self._circle.household
        lost, doubted = house.host, house.doubts
        assert lost is not None
        if (mate := circle.mates.get(lost)) is not None:
            circle.say(mate, wire.Unlodge(tag=circle.tag))
        house.host, house.doubts = None, False
        if not doubted:
            self._take_turn(lost, now)

    def _take_turn(self, lost: PeerId, now: float) -> None:
        """Those who come before me in this household turn outside before me."""
        circle, mine = self._circle, self._rank()
        before = [
            mate
            for mate in circle.housemates()
            if mate.peer.key != lost
            and household.rank(short(mate.peer.key), circle.tag, gives=not mate.peer.download_only) < mine
        ]
        circle.household.alone_from_s = now + TURN_S * min(TURNS_MAX, len(before))

    def _rest(self, key: PeerId, now: float) -> None:
        """Leave a mate alone for a while."""
        last = self._rests.get(key)
        if last and key == self._circle.household.host and now - self._moved_in_s > GOOD_FOR * last.length_s:
            last = None
        length_s = min(REST_MOST_S, 2 * last.length_s if last else REST_S[0])
        self._rests = {k: rest for k, rest in self._rests.items() if rest.until_s + REST_MOST_S > now}
        self._rests[key] = Rest(now + length_s, length_s)

    def _rank(self) -> int:
        circle = self._circle
        return household.rank(short(circle.me), circle.tag, gives=circle.gives)


_NONE = (0, 0)
"""No piece, as epoch and number."""


class _Leak:
    """A count that time takes back, so much a second."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._count = 0.0
        self._since_s = 0.0

    def level(self, now: float) -> float:
        return max(0.0, self._count - self._per_s * (now - self._since_s))

    def add(self, now: float) -> None:
        self._count, self._since_s = self.level(now) + 1, now

    def empty(self) -> None:
        self._count = 0.0
