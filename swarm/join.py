"""Addresses worth dialling for one swarm, and when.

Neighbours name addresses, and a neighbour may name anything: so what one of them brings is bounded in number and in
dials a second, an address prefix is given up when it fails often, and which one is dialled next is left to luck.
Trackers name addresses without keys, which anybody can register there: they count as brought by one bad neighbour, are
dialled slower still, once, and left alone for long when nobody answers.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from swarm.messages import Contact
from swarm.prefixes import crowd, dialable, is_shared, reach
from swarm.units import Access, Address, PeerId

K = TypeVar("K")

KNOWN_MAX = 256
HINTED_AT_ONCE = 3
"""Dials under way to parents that were named, though neighbours are enough."""

BROUGHT_MAX = 32
"""Addresses in the book that one neighbour has brought."""

BROUGHT_PER_CROWD = 2
"""Of them, so many of one address prefix."""

KNOWN_PER_CROWD = 8
DIALS_AT_ONCE = 8
HANGS_S = 0.5
DIALS_HANGING = 24
"""A dial without an answer for so long probably finds nobody, and others are tried beside it, so many in all."""

DIALS_BROUGHT = (4.0, 16)
"""Dials to what one neighbour has brought: so many a second in the long run, so many at once."""

FOUND = PeerId(b"")
"""Stands for the bringer of what trackers, the DHT and the like have told, which is nobody's word."""

FOUND_MAX = 64
DIALS_FOUND = (0.5, 16)
"""Dials to addresses that were found: so many a second in the long run, so many at once."""

FOUND_REST_S = (60.0, 3600.0)
"""Where nobody has answered is not dialled for so long, however often it is found; doubled each time."""

RESTS_MAX = 512

FAILURES_PER_CROWD = 8
FAILURES_S = 60.0
"""After so many failed dials to one address prefix within this time, it is left alone for the rest of it."""

CROWDS_WATCHED_MAX = 512
RETRY_S = (0.5, 30.0)
"""First and longest pause before an address is dialled again; doubled each time."""

TRIES_MAX = 3
"""An address that only a neighbour named is given up after so many failures."""

DOUBLINGS_MAX = 10
"""More of them change nothing, and after a night of failures the power would no longer fit into a float."""


@dataclass(slots=True)
class Prospect:
    """One address; ``key`` pins the peer when ``bringer`` named it, both None when the user's link did.

    ``colours``: the stripes that it is said to relay (bit i: stripe i). ``named_by`` named it last, with the key
    ``named`` and an ``access``; ``invited``: it wants to be dialled, so ``named_by`` says;
    ``proved``: who proved last to be there; ``introduced``: ``named_by`` has been asked to tell it of this dial.
    ``asked_until_s``: until then it is expected to dial this node.
    """

    address: Address
    key: PeerId | None
    bringer: PeerId | None
    crowd: str
    colours: int = 0
    access: Access = Access.UNKNOWN
    named: PeerId | None = None
    named_by: PeerId | None = None
    invited: bool = False
    kept: bool = False
    proved: PeerId | None = None
    introduced: bool = False
    asked_until_s: float = 0.0
    failures: int = 0
    next_s: float = 0.0
    dialling: bool = False
    dialled_s: float = 0.0

    @property
    def from_link(self) -> bool:
        return self.bringer is None


@dataclass(slots=True)
class _Failures:
    count: int
    since_s: float


@dataclass(slots=True)
class AddressBook:
    """What is known to dial, bounded; addresses of the user's own link are never pushed out."""

    prospects: dict[Address, Prospect] = field(default_factory=dict)
    _dialling: dict[Address, Prospect] = field(default_factory=dict)
    _brought: Counter[PeerId] = field(default_factory=Counter)
    _crowds: Counter[tuple[PeerId | None, str]] = field(default_factory=Counter)
    """Addresses by crowd: of one bringer, and, under None, of all."""

    _hinted: set[Address] = field(default_factory=set)
    _dialled_until_s: dict[PeerId, float] = field(default_factory=dict)
    _failed: dict[str, _Failures] = field(default_factory=dict)
    _rests: dict[Address, tuple[float, float]] = field(default_factory=dict)
    """Found addresses where nobody answered: until when they rest, and how long the next rest is."""

    @property
    def dialling(self) -> Collection[Address]:
        """Where a dial is under way."""
        return self._dialling.keys()

    def add_link(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if dialable(address):
                known = self.prospects.get(address)
                if known is None or not known.from_link:
                    self._hinted.add(address)
                if known is None:
                    self._put(Prospect(address, None, None, crowd(address)))
                elif not known.from_link:
                    self._count(known, -1)
                    known.bringer = known.key = None
                    self._count(known, 1)

    def add(self, contacts: Iterable[Contact], bringer: Contact, now: float) -> None:
        """Take in what a neighbour named, as long as there is room for it."""
        news = [
            contact
            for contact in contacts
            if not self._renew(contact, bringer) and self._credible(contact, bringer, now)
        ]
        if not news:
            return
        for contact in news:
            name = crowd(contact.address)
            full = is_shared(name) and (
                self._crowds[None, name] >= KNOWN_PER_CROWD or self._crowds[bringer.key, name] >= BROUGHT_PER_CROWD
            )
            if full or self._brought[bringer.key] >= BROUGHT_MAX or contact.address in self.prospects:
                continue
            if len(self.prospects) >= KNOWN_MAX and not self._make_room(bringer.key):
                return
            self._put(Prospect(contact.address, contact.key, bringer.key, name))
            self._renew(contact, bringer)

    def found(self, addresses: Iterable[Address], now: float) -> None:
        """Take in what a tracker or the like tells, as long as there is room for it."""
        for address in addresses:
            name = crowd(address)
            rests = self._rests.get(address, (0.0, 0.0))[0] > now or self._gave_up(name, now)
            if not dialable(address) or address in self.prospects or rests:
                continue
            if is_shared(name) and self._crowds[None, name] >= KNOWN_PER_CROWD:
                continue
            if self._brought[FOUND] >= FOUND_MAX or (len(self.prospects) >= KNOWN_MAX and not self._make_room(FOUND)):
                return
            self._put(Prospect(address, None, FOUND, name))

    def hint(self, contacts: Iterable[Contact], bringer: Contact, now: float) -> None:
        """Take in what a neighbour named as a parent to be had now: it is dialled beyond what is wanted otherwise."""
        hints = list(contacts)
        self.add(hints, bringer, now)
        self._hinted.update(contact.address for contact in hints if contact.address in self.prospects)

    def recall(self, keys: Collection[PeerId]) -> None:
        """These peers are needed now: dial what is known of them."""
        self._hinted.update(p.address for p in self.prospects.values() if p.key in keys or p.named in keys)

    def keep(self, contacts: Iterable[Contact], now: float) -> None:
        """Of these peers, who have proved who they are, the addresses are never pushed out, and tried for ever."""
        for prospect in self.prospects.values():
            prospect.kept = False
        for contact in contacts:
            self.add((contact,), contact, now)
            kept = self.prospects.get(contact.address)
            if kept is not None:
                kept.kept, kept.named = True, contact.key

    def revive(self, contacts: Collection[Contact], now: float) -> None:
        """These peers were reached until this node moved: earlier failures there say nothing of here."""
        self._failed.clear()
        for contact in contacts:
            self.hint((contact,), contact, now)
            if (prospect := self.prospects.get(contact.address)) is not None:
                prospect.failures, prospect.next_s = 0, now

    def invite(self, contact: Contact, bringer: Contact, now: float) -> None:
        """A neighbour says that this peer wants to be dialled now; it counts as that neighbour's doing."""
        self.hint((contact,), bringer, now)
        if (prospect := self.prospects.get(contact.address)) is not None and not prospect.dialling:
            prospect.invited = True
            prospect.next_s = now

    def due(
        self,
        connected: Callable[[], set[Address]],
        wanted: int,
        now: float,
        lacking: int = 0,
        *,
        most: int = DIALS_HANGING,
        usable: Callable[[Prospect], bool] = lambda prospect: True,
        rng: Random,
    ) -> list[Prospect]:
        """Whom to dial now, ``most`` at most, so that about ``wanted`` more neighbours come; marks them as dialled.

        The user's own come first, then those that are said to relay a stripe of ``lacking`` (bit i: stripe i); those
        that were found come last.
        ``usable`` tells whether there is a way to a peer.
        """
        if not most:
            return []
        hinted, self._hinted = self._hinted, set()
        room = max(min(wanted, DIALS_AT_ONCE), min(len(hinted), HINTED_AT_ONCE))
        fresh = sum(now - p.dialled_s < HANGS_S for p in self._dialling.values())
        room = min(room - fresh, DIALS_HANGING - len(self._dialling), most)
        if room <= 0:
            return []
        here = connected()
        idle = [
            p
            for p in self.prospects.values()
            if p.next_s <= now
            and not p.dialling
            and (p.failures < TRIES_MAX or p.from_link or p.address in hinted)
            and p.address not in here
            and not self._pauses(p, now)
            and usable(p)
        ]
        found: list[Prospect] = []
        for prospect in sorted(_over_crowds(idle, rng), key=lambda p: _rank(p, hinted, lacking)):
            if len(found) == room:
                break
            if self._affordable(prospect, now):
                found.append(prospect)
        if len(found) == most:
            self._hinted = hinted - {prospect.address for prospect in found}
        for prospect in found:
            prospect.dialling, prospect.introduced, prospect.dialled_s = True, False, now
            self._dialling[prospect.address] = prospect
        return found

    def hanging(self, now: float) -> list[Prospect]:
        """Dials that nobody has answered for a while; who was asked to dial this node and has not, is given up."""
        found = [p for p in self._dialling.values() if now - p.dialled_s >= HANGS_S]
        for prospect in found:
            if prospect.asked_until_s and prospect.asked_until_s <= now:
                self._end_dial(prospect)  # nothing was sent there: no failed dial
                self.failed(prospect.address, now)
        return found

    def reached(self, address: Address, key: PeerId) -> None:
        """This peer has proved that it is there. One that has two addresses is not to be dialled at both for ever."""
        if (prospect := self.prospects.get(address)) is not None:
            self._end_dial(prospect)
            prospect.proved = key
            prospect.failures = 0
            self._rests.pop(address, None)
            self._failed.pop(prospect.crowd, None)

    def came(self, key: PeerId) -> None:
        """A peer has dialled this node; it may be one that was asked to, from an address that only this node sees."""
        for prospect in list(self._dialling.values()):
            if prospect.asked_until_s and key in {prospect.key, prospect.named}:
                self._end_dial(prospect)
                prospect.failures = 0

    def failed(self, address: Address, now: float) -> None:
        """A dial came to nothing, or the peer has left: wait longer, forget what only a neighbour named."""
        prospect = self.prospects.get(address)
        if prospect is None:
            return
        if prospect.dialling:
            self._note_failure(prospect.crowd, now)
        self._end_dial(prospect)
        prospect.failures += 1
        prospect.next_s = now + min(RETRY_S[1], RETRY_S[0] * 2 ** min(DOUBLINGS_MAX, prospect.failures - 1))
        strange = prospect.bringer == FOUND and prospect.proved is None
        if (strange or prospect.failures >= TRIES_MAX) and not prospect.from_link and not prospect.kept:
            self.forget(address)
            if strange:
                self._rest(address, now)

    def forget(self, address: Address) -> None:
        if (prospect := self.prospects.pop(address, None)) is not None:
            self._dialling.pop(address, None)
            self._count(prospect, -1)

    def hopeless(self) -> int:
        """How many addresses were tried in vain, when all were; else 0."""
        tried = [p for p in self.prospects.values() if p.failures]
        return len(tried) if tried and len(tried) == len(self.prospects) else 0

    def _renew(self, contact: Contact, bringer: Contact) -> bool:
        """Whether the address is known; if so its colours are renewed, and a key that failed gives way to another.

        Of what is said about its access the better counts: who is wrong costs a dial, and keeps nobody apart.
        """
        known = self.prospects.get(contact.address)
        if known is None:
            return False
        known.colours = contact.colours or known.colours
        if known.failures and known.key != contact.key and not known.from_link:
            known.key = contact.key
        if contact.access and (not known.access or contact.access < known.access):
            known.access = contact.access
        known.named, known.named_by = contact.key, bringer.key
        return True

    def _credible(self, contact: Contact, bringer: Contact, now: float) -> bool:
        """Whether the address can lead from here to where it leads from the bringer, and has not failed too often."""
        if not dialable(contact.address) or reach(contact.address) < reach(bringer.address):
            return False
        return not self._gave_up(crowd(contact.address), now)

    def _put(self, prospect: Prospect) -> None:
        self.prospects[prospect.address] = prospect
        self._count(prospect, 1)

    def _count(self, prospect: Prospect, by: int) -> None:
        _tally(self._crowds, (None, prospect.crowd), by)
        if prospect.bringer is not None:
            _tally(self._crowds, (prospect.bringer, prospect.crowd), by)
            _tally(self._brought, prospect.bringer, by)

    def _end_dial(self, prospect: Prospect) -> None:
        prospect.dialling = prospect.invited = False
        prospect.asked_until_s = 0.0
        self._dialling.pop(prospect.address, None)

    def _make_room(self, bringer: PeerId) -> bool:
        """Push out an address of whoever has brought the most, if that is more than this one has."""
        if not self._brought:
            return False
        greediest, most = self._brought.most_common(1)[0]
        theirs = [p for p in self.prospects.values() if p.bringer == greediest and not p.dialling and not p.kept]
        if most <= self._brought[bringer] + 1 or not theirs:
            return False
        self.forget(max(theirs, key=lambda p: p.failures).address)
        return True

    def _affordable(self, prospect: Prospect, now: float) -> bool:
        """Whether its bringer may cause one more dial now; counts it."""
        bringer = prospect.named_by if prospect.invited else prospect.bringer
        if bringer is None:
            return True
        rate, burst = DIALS_FOUND if bringer == FOUND else DIALS_BROUGHT
        until_s = max(now, self._dialled_until_s.get(bringer, now))
        if until_s - now > (burst - 0.5) / rate:
            return False
        if len(self._dialled_until_s) >= KNOWN_MAX:
            self._dialled_until_s = {key: at for key, at in self._dialled_until_s.items() if at > now}
        self._dialled_until_s[bringer] = until_s + 1 / rate
        return True

    def _rest(self, address: Address, now: float) -> None:
        """Nobody was there: leave a stranger's address in peace for a while."""
        _, rest_s = self._rests.pop(address, (now, FOUND_REST_S[0]))
        if len(self._rests) >= RESTS_MAX:
            del self._rests[next(iter(self._rests))]
        self._rests[address] = now + rest_s, min(FOUND_REST_S[1], 2 * rest_s)

    def _note_failure(self, name: str, now: float) -> None:
        known = self._failed.get(name)
        if known is not None and now - known.since_s < FAILURES_S:
            known.count += 1
            return
        self._failed.pop(name, None)
        if len(self._failed) >= CROWDS_WATCHED_MAX:
            del self._failed[next(iter(self._failed))]
        self._failed[name] = _Failures(1, now)

    def _gave_up(self, name: str, now: float) -> bool:
        known = self._failed.get(name)
        return known is not None and known.count >= FAILURES_PER_CROWD and now - known.since_s < FAILURES_S

    def _pauses(self, prospect: Prospect, now: float) -> bool:
        return not prospect.from_link and self._gave_up(prospect.crowd, now)


def _tally(counter: Counter[K], name: K, by: int) -> None:
    """Keeps no zeros: names would pile up."""
    counter[name] += by
    if not counter[name]:
        del counter[name]


def _over_crowds(prospects: list[Prospect], rng: Random) -> list[Prospect]:
    """In random order, but one of each address prefix before a second of any."""
    seen: Counter[str] = Counter()
    places = []
    for prospect in sorted(prospects, key=lambda _: rng.random()):
        places.append((seen[prospect.crowd], prospect))
        seen[prospect.crowd] += 1
    return [prospect for _, prospect in sorted(places, key=lambda place: place[0])]


def _rank(prospect: Prospect, hinted: Collection[Address], lacking: int) -> tuple[bool, ...]:
    """Who is dialled first: the least."""
    return (
        not prospect.from_link or prospect.failures > 0,
        prospect.address not in hinted,
        not prospect.colours & lacking,
        prospect.bringer == FOUND,
    )
