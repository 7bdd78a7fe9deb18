"""Pull repair: which pieces to ask for, when, and of whom."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from swarm.peers import Mate
from swarm.units import PeerId
from swarm.window import Entry

PATIENCE_S = 0.1
"""A piece is asked for so long after pieces usually complete here."""

AGAIN_S = (0.12, 0.35)
"""Least and most time for an answer, within which it is three round trips to the farthest one asked and a little."""

SHORT_ANSWER_S = 0.08
"""An answer that helped but did not suffice is followed by the next question after so long."""

TRIES_MAX = 32
TRIES_QUICK = 8
"""After so many tries a refusal brings the next one no sooner: nobody has the piece yet, but somebody may get it."""

AT_ONCE_MAX = 16
NEAR = 6
WIDER_TRIES = 4
"""Asked are the nearest at first, and after each so many tries as many more: the nearest may all lack the same."""

LENDS_NOTHING_MS = 0xFFFF
"""An advert's lag that says: ask me for no repair."""

ENDED_MAX = 16
HASTY_S = 0.005
SPREAD_MOST_S = 0.5
"""Each block that was asked for in vain makes the next searches begin later by twice the former, within bounds: else
a swarm that is slow for a moment goes on being slow because of what it repairs."""

SOURCE_AFTER_TRIES = 2
"""The source is asked only when neighbours could not help so often: it serves what nobody else has."""

SOURCE_SHARE = 0.5
"""And then every other time: what it has given to one neighbour by now, that one gives to the others."""


@dataclass(slots=True)
class Search:
    tries: int = 0
    next_s: float = 0.0
    asked_at_s: float = 0.0
    held_then: int = 0
    asked: set[PeerId] = field(default_factory=set)


@dataclass(slots=True)
class Repairs:
    """The searches under way, by piece number, and how long pieces usually take from first block to whole."""

    searches: dict[int, Search] = field(default_factory=dict)
    usual_s: float = 0.05
    spread_s: float = 0.05
    _ended: deque[int] = field(default_factory=lambda: deque(maxlen=ENDED_MAX))

    def completed(self, entry: Entry, now: float) -> None:
        """Learn from a piece that became whole; a searched one teaches nothing about the usual time."""
        if self.searches.pop(entry.number, None) is not None:
            self._ended.append(entry.number)
        else:
            error = now - entry.first_seen_s - self.usual_s
            self.usual_s += 0.1 * error
            self.spread_s += 0.1 * (abs(error) - self.spread_s)

    def came_after_all(self, entry: Entry) -> None:
        """A parent has sent a block that a neighbour had sent already: if it was asked to, that was hasty."""
        if entry.number in self.searches or entry.number in self._ended:
            self.spread_s = min(SPREAD_MOST_S, self.spread_s + HASTY_S)

    def failed(self, number: int, key: PeerId, now: float) -> None:
        """The asked neighbour cannot help: try another at once."""
        search = self.searches.get(number)
        if search is not None and key in search.asked and search.tries <= TRIES_QUICK:
            search.next_s = now

    def due(self, entries: Iterable[Entry], now: float, patience_s: float = PATIENCE_S) -> list[Entry]:
        """The incomplete pieces to ask for now, oldest first."""
        limit = now - (self.usual_s + 2 * self.spread_s + patience_s)
        late = [entry for entry in entries if entry.first_seen_s < limit]
        if not late:
            self.searches.clear()
            return []
        late.sort(key=_age)
        for number in self.searches.keys() - {entry.number for entry in late}:
            del self.searches[number]
        found = []
        for entry in late[:AT_ONCE_MAX]:
            search = self.searches.setdefault(entry.number, Search())
            if search.tries < TRIES_MAX and (search.next_s <= now or _answered_short(search, entry, now)):
                found.append(entry)
        return found

    def ask(self, entry: Entry, alive: Sequence[Mate], *, count: int, rng: Random, now: float) -> list[Mate]:
        """Whom of the ``alive`` to ask for this piece now, at most ``count``; notes the try. Empty when none has it."""
        search = self.searches[entry.number]
        search.asked_at_s, search.held_then = now, entry.held
        chosen = _choose(search, entry.number, alive, count=count, rng=rng, now=now)
        search.tries += bool(chosen)
        search.asked.update(mate.peer.key for mate in chosen)
        rtt_s = max((mate.peer.rtt_s for mate in chosen), default=AGAIN_S[1])
        search.next_s = now + min(AGAIN_S[1], max(AGAIN_S[0], 3 * rtt_s + SHORT_ANSWER_S))
        return chosen


def lends(mate: Mate) -> bool:
    """Whether its advert says that it may be asked for repair."""
    return mate.advert is not None and mate.advert.lag_ms != LENDS_NOTHING_MS


def alive(mates: Iterable[Mate], suspects: Collection[PeerId], now: float) -> list[Mate]:
    """Who can be asked at all, the nearest first: who advertises, and is not suspected to be dead."""
    found = [m for m in mates if m.advert is not None and m.fresh(now) and m.peer.key not in suspects]
    return sorted(found, key=lambda mate: mate.peer.rtt_s)


def _age(entry: Entry) -> tuple[float, int]:
    return entry.first_seen_s, entry.number


def _answered_short(search: Search, entry: Entry, now: float) -> bool:
    return entry.held != search.held_then and now - search.asked_at_s > SHORT_ANSWER_S


def _choose(search: Search, number: int, mates: Sequence[Mate], *, count: int, rng: Random, now: float) -> list[Mate]:
    having = [mate for mate in mates if not mate.is_source and _has(mate, number, now)]
    unasked = [mate for mate in having if mate.peer.key not in search.asked] or having
    sources = [mate for mate in mates if mate.is_source]
    if sources and (not unasked or (search.tries >= SOURCE_AFTER_TRIES and rng.random() < SOURCE_SHARE)):
        # Whoever calls itself the source without being it is asked once; then the others have their turn.
        return ([mate for mate in sources if mate.peer.key not in search.asked] or sources)[:1]
    near = unasked[: NEAR * (1 + search.tries // WIDER_TRIES)]
    return rng.sample(near, min(count, len(near)))


def _has(mate: Mate, number: int, now: float) -> bool:
    """Whether the advert, aged by the time since it came, says that this mate has the piece by now."""
    assert mate.advert is not None
    return lends(mate) and (mate.advert.newest >= number or now - mate.advert_at_s > mate.advert.lag_ms / 1e3)
