"""One stripe as this peer receives it: its parent, the request in flight, and when to give a parent up.

    no parent --subscribe--> asked --accept--> fed --(silent, moved, gone)--> no parent
                              |                 |
                              +--reject, late---+-- asked beside a parent that is overdue or far

A parent is overdue when others delivered a newer piece long ago and it has not: a source that pauses makes
nobody overdue.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from swarm.messages import Contact
from swarm.peers import Lead
from swarm.units import PeerId, Stripe

ANSWER_S = (0.25, 0.6)
"""A request without an answer for so long, or for four round trips between these, has failed."""

OVERDUE_LOOK_S = (0.4, 0.9)
"""A parent so far behind the others' blocks: look for another beside it. The latter when it was heard of since."""

OVERDUE_DROP_S = 2.8
"""So far behind: drop it even without another."""

MUTE_DROP_S = 1.2
"""Accepted me and never sent: drop, and do not ask again for ``MUTE_REST_S``."""

MUTE_REST_S = 30.0
REST_S = (2.5, 20.0)
"""Least and most rest of a candidate that refused or failed; doubled each time."""

BLUR = 0.15
"""Scores are blurred by so much either way, so that not everybody runs to the same parent."""


@dataclass(slots=True)
class Rest:
    until_s: float
    length_s: float


@dataclass(slots=True)
class Feed:
    """State of one incoming stripe. ``leaving``: the parent wants to be rid of me; ``cut``: it is cut off itself."""

    stripe: Stripe
    parent: PeerId | None = None
    ancestors: tuple[bytes, ...] = ()
    above: tuple[Contact, ...] = ()
    leaving: bool = False
    cut: bool = False
    fed_since_s: float = 0.0
    hungry_since_s: float | None = None
    last_number: int = 0
    last_s: float = 0.0
    delay_s: float | None = None
    asked: PeerId | None = None
    answer_by_s: float = 0.0
    late: PeerId | None = None
    hints: tuple[PeerId, ...] = ()
    resting: dict[PeerId, Rest] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.parent is not None or self.asked is not None

    def ask(self, key: PeerId, now: float, rtt_s: float, lenience_s: float = 0.0) -> None:
        """A question is under way, and may take so much longer than usual."""
        self.asked, self.answer_by_s = key, now + min(ANSWER_S[1], max(ANSWER_S[0], 4 * rtt_s)) + lenience_s

    def accept(self, key: PeerId, ancestors: tuple[bytes, ...], above: tuple[Contact, ...], now: float) -> None:
        """The asked candidate feeds me from now on; ``above`` is its own parent."""
        self.parent, self.ancestors, self.above = key, ancestors, above
        self.fed_since_s = self.last_s = now
        self.last_number, self.delay_s = 0, None
        self.asked, self.late, self.leaving, self.cut, self.hints = None, None, False, False, ()
        self.resting.pop(key, None)

    def arrived(self, number: int, delay_s: float, now: float) -> None:
        """A block of piece ``number`` came from the parent, ``delay_s`` after its capture ended."""
        self.last_number = max(self.last_number, number)
        self.last_s = now
        self.delay_s = delay_s if self.delay_s is None else self.delay_s + 0.1 * (delay_s - self.delay_s)

    def refuse(self, key: PeerId, now: float, rest_s: float | None = None) -> None:
        """This candidate is not asked again for a while."""
        last = self.resting.get(key)
        length = rest_s or min(REST_S[1], last.length_s * 2 if last else REST_S[0])
        self.resting[key] = Rest(now + length, length)
        if self.asked == key:
            self.asked = None

    def may_accept(self, key: PeerId) -> bool:
        """Whether an acceptance answers a question: the one under way, or with no parent the one given up last."""
        return key == self.asked or (self.parent is None and key == self.late)

    def hunger(self, now: float) -> None:
        """Note since when there is no parent."""
        if self.parent is not None:
            self.hungry_since_s = None
        elif self.hungry_since_s is None:
            self.hungry_since_s = now

    def renew(self, now: float) -> None:
        """The source counts anew: what the parent sent before says nothing about what is due."""
        self.last_number, self.fed_since_s = 0, now

    def drop(self) -> None:
        """Be without a parent."""
        self.parent, self.ancestors, self.delay_s, self.last_number = None, (), None, 0
        self.leaving = self.cut = False

    def late_answer(self, now: float) -> PeerId | None:
        """The candidate whose answer is out of time, if any."""
        return self.asked if self.asked is not None and now > self.answer_by_s else None

    def forget_rests(self, now: float) -> None:
        for key in [key for key, rest in self.resting.items() if rest.until_s + REST_S[1] < now]:
            del self.resting[key]

    def choose(self, candidates: Iterable[Lead], rng: Random, now: float) -> Lead | None:
        """The best candidate that is not resting; hinted ones count as a quarter nearer."""
        best, best_score = None, float("inf")
        for lead in candidates:
            rest = self.resting.get(lead.key)
            if lead.key == self.parent or (rest is not None and rest.until_s > now):
                continue
            score = lead.score_s * (1 + rng.uniform(-BLUR, BLUR)) * (0.75 if lead.key in self.hints else 1)
            if score < best_score:
                best, best_score = lead, score
        return best


def overdue_s(feed: Feed, next_seen_s: float | None, now: float) -> float:
    """How long others have had the piece that this feed's parent should have sent next."""
    return 0.0 if next_seen_s is None else now - max(next_seen_s, feed.fed_since_s)
