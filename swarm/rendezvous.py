"""Getting to know others in one swarm: whom to dial and how, and introductions through neighbours."""

from collections.abc import Callable, Collection
from math import inf

from swarm import wire
from swarm.circle import Circle
from swarm.events import Dial, Unreachable
from swarm.feeds import Feeds
from swarm.intake import Intake
from swarm.join import AddressBook, Prospect
from swarm.naming import may_meet
from swarm.peers import Mate, Peer
from swarm.traversal import Way, can_meet, way
from swarm.units import Access, Address

FED_SHARE = 0.5
"""Who is fed looks for this share of the neighbours wanted only: as many again come by themselves."""

SHORT_SHARE = 1.5
"""Who lacks a stripe that no neighbour can give looks for more of them."""

CROWD_SHARE = 1.6
"""More neighbours than this share of the wanted ones cost more in adverts than they are good for."""

SOURCE_SHARE = 0.75
"""The source, whom everybody looks for, keeps some of its links free for others."""

SEEK_STEP_S = 0.1
"""For each step in rank by which I am a worse child, I wait up to so much longer before I dial the source."""

ASKED_S = 3.0
"""Who was asked through a neighbour to dial this node has so long."""

INTRODUCED = (2.0, 16)
"""Introductions to one neighbour: so many a second in the long run, so many at once; below what it takes."""

UNREACHABLE_EVERY_S = 5.0
HOUSEMATES_MAX = 24
"""Neighbours on this node's own network that are kept beside the others; so many do for hosts and lodgers."""

LODGER_NEIGHBOURS = 4
"""Who lodges with somebody needs others only when that one is gone."""


class Rendezvous:
    """The address book of one swarm, and how its addresses become neighbours."""

    def __init__(self, circle: Circle, feeds: Feeds, intake: Intake, now: float) -> None:
        self._circle = circle
        self._feeds = feeds
        self._intake = intake
        self.book = AddressBook()
        self._unreachable_s = now + UNREACHABLE_EVERY_S
        self._seek_s = inf

    # -- what mates say

    def learn(self, mate: Mate, contacts: Collection[wire.Contact], now: float) -> None:
        """A mate names peers; one that names this node teaches nothing. It may know whom I just cannot reach."""
        others = [contact for contact in contacts if contact.key != self._circle.me]
        self.book.add(others, mate.contact, now)
        for contact in others:
            prospect = self.book.prospects.get(contact.address)
            if prospect is not None and prospect.dialling and prospect.access is Access.CONE:
                self._ask(prospect)

    def ask_there(self, mate: Mate, contacts: Collection[wire.Contact], now: float) -> None:
        """A mate names who could feed me in its stead: those that I do not know yet are dialled at once."""
        circle = self._circle
        strangers = [c for c in contacts if c.key != circle.me and c.key not in circle.mates]
        self.book.hint(strangers, mate.contact, now)

    def meet(self, mate: Mate, message: wire.Meet, now: float) -> None:
        """A mate wants to be introduced to another one: that one is told where I see it, and decides."""
        circle = self._circle
        other = circle.mates.get(message.key)
        if other is None or other is mate or not may_meet(mate, other):
            return
        rate, burst = INTRODUCED
        until_s = max(now, other.introduced_until_s)
        if until_s - now <= (burst - 0.5) / rate:
            other.introduced_until_s = until_s + 1 / rate
            for contact in circle.contacts((mate.peer.key,), other):
                circle.say(other, wire.Introduce(tag=circle.tag, contact=contact))

    def introduce(self, mate: Mate, message: wire.Introduce, now: float) -> None:
        """Somebody wants to reach me, a mate says: I dial it, so that my NAT lets it in, unless I have no room."""
        circle, contact = self._circle, message.contact
        if contact.key == circle.me or contact.key in circle.mates or self.crowded:
            return
        if can_meet(circle.vantage.access_in(v6=contact.address.is_v6), contact.access):
            self.book.invite(contact, mate.contact, now)

    @property
    def crowded(self) -> bool:
        """Whether there are more neighbours than are good for anything."""
        circle, settings = self._circle, self._circle.settings
        most = settings.links_max * SOURCE_SHARE if circle.is_source else self._neighbours * CROWD_SHARE
        return self._neighbours_now() > most

    def _neighbours_now(self) -> int:
        """How many neighbours there are, but for those of this node's own network that come for nothing."""
        return len(self._circle.mates) - min(self._circle.household.near, HOUSEMATES_MAX)

    @property
    def _neighbours(self) -> int:
        """How many neighbours are wanted."""
        most = self._circle.settings.neighbours
        return min(most, LODGER_NEIGHBOURS) if self._circle.household.lodges else most

    def keep_sources(self, now: float) -> None:
        """Never forget where a source was found: one day all may be gone through whom it is reached."""
        mates = self._circle.mates
        self.book.keep([mates[key].contact for key in self._circle.sources if key in mates], now)

    # -- links

    def met(self, peer: Peer) -> None:
        """A link to a peer is up."""
        self.book.reached(peer.address, peer.key)
        if not peer.dialled:
            self.book.came(peer.key)

    # -- time

    def dial(self, now: float, neighbours: int, connected: Callable[[], set[Address]]) -> None:
        """Dial, or have others dial, as many as are wanted."""
        circle = self._circle
        self._seek_source(now)
        lacking = self._intake.lacking
        fed = self._feeds.fed >= circle.k > 0
        enough = int(self._neighbours * (SHORT_SHARE if lacking else FED_SHARE if fed else 1))
        wanted = min(enough - self._neighbours_now(), circle.settings.links_max - neighbours)
        for prospect in self.book.hanging(now):
            if prospect.dialling and self._way(prospect) is Way.TOGETHER:
                self._ask(prospect)
        most = circle.strain.dials(now)
        for prospect in self.book.due(connected, wanted, now, lacking, most=most, usable=self._has_way, rng=circle.rng):
            self._approach(prospect, now)
        if not circle.mates and not circle.is_source and now >= self._unreachable_s and (tried := self.book.hopeless()):
            self._unreachable_s = now + UNREACHABLE_EVERY_S
            circle.order(Unreachable(stream=circle.stream, tried=tried))

    def _seek_source(self, now: float) -> None:
        """Who is cut off from the source turns to it directly; who has the most room first, lest all come at once."""
        circle, rank = self._circle, self._intake.adrift(now)
        if rank is None or any(mate.is_source for mate in circle.mates.values()):
            self._seek_s = inf
        elif self._seek_s == inf:
            self._seek_s = now + circle.rng.uniform(0, SEEK_STEP_S * rank)
        elif now >= self._seek_s:
            self.book.recall(circle.sources)

    def _approach(self, prospect: Prospect, now: float) -> None:
        """Ask a neighbour for an introduction where one helps, and dial unless that leads nowhere."""
        chosen = self._way(prospect)
        if chosen is Way.BECKON or (chosen is Way.TOGETHER and prospect.access is Access.CONE):
            self._ask(prospect)
        if chosen is Way.BECKON:
            prospect.asked_until_s = now + ASKED_S
            return
        self._circle.strain.dialled(now)
        self._circle.vantage.called(prospect.address, now)
        self._circle.order(Dial(address=prospect.address, peer=prospect.key))

    def _ask(self, prospect: Prospect) -> None:
        circle = self._circle
        introducer = self._introducer(prospect)
        if introducer is not None and prospect.named is not None and not prospect.invited | prospect.introduced:
            prospect.introduced = True
            circle.say(introducer, wire.Meet(tag=circle.tag, key=prospect.named))

    def _introducer(self, prospect: Prospect) -> Mate | None:
        return self._circle.mates.get(prospect.named_by) if prospect.named_by is not None else None

    def _way(self, prospect: Prospect) -> Way:
        """What was said of a peer counts until it turns out wrong; of the user's own addresses it does not count."""
        access = prospect.access
        if (prospect.from_link and access is Access.HARD) or (prospect.failures and access is Access.OPEN):
            access = Access.UNKNOWN
        return way(self._circle.vantage.access_in(v6=prospect.address.is_v6), access)

    def _has_way(self, prospect: Prospect) -> bool:
        """Whether a dial may lead to a peer; without a neighbour of both it leads to the open and the unknown only."""
        if prospect.key in self._circle.mates or prospect.proved in self._circle.mates:
            return False
        if not self._circle.settings.admits(prospect.address, prospect.key):
            return False
        chosen = self._way(prospect)
        if chosen is Way.BECKON or (chosen is Way.TOGETHER and prospect.access is Access.CONE):
            return prospect.invited or self._introducer(prospect) is not None
        return chosen is not Way.NEVER
