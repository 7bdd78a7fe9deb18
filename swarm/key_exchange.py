"""How a ticket's viewer comes by the keys of one swarm's stream: it asks neighbours, and gives to others what it has.

    viewer                                   source, or another viewer
      | -- key request(period, ticket) -------> |   signed by the stream's key, not expired, not revoked
      | <-- key grant(period, wrapped key) ---- |   wrapped for the ticket's viewer; checked against the source's piece
      | <-- or key refusal(period, reason) ---- |

The next period's key is asked for as soon as the source has announced it, each at a moment of its own. A refusal is one
neighbour's word: that a ticket is out is believed when the source says so in its pieces.
"""

from typing import Final

from swarm import wire
from swarm.circle import Circle
from swarm.errors import ProofError
from swarm.identity import Identity
from swarm.keyring import Keyring, Quest, Refusal
from swarm.peers import Mate
from swarm.sealer import lead_s
from swarm.tickets import Share, read_ticket, unwrap, wrap
from swarm.units import PeerId

ASK_AGAIN_S: Final = (0.4, 3.0)
"""How long to wait for an answer before somebody else is asked: at first, and later when many have been."""

SPREAD_SHARE: Final = 0.5
"""A key that is not needed yet is asked for within this share of the time that is left: all hear of it in one piece."""

SOURCE_TRIES: Final = (2, 8)
"""So many others are asked before the source is, which has much to do: for a key that is needed, and at most for one
that is not needed yet; each draws a number of its own, so that a few go first and the others find the key with them."""

WRAPS_MAX: Final = 512


class KeyExchange:
    """The keys that this node asks for and gives in one swarm."""

    def __init__(self, circle: Circle, me: Identity) -> None:
        self._circle = circle
        self._me = me
        self._pending: dict[tuple[PeerId, int], bytes] = {}
        self._wraps: dict[tuple[bytes, int], bytes | None] = {}

    @property
    def _keyring(self) -> Keyring:
        return self._circle.keyring

    def receive(self, mate: Mate, message: wire.KeyRequest | wire.KeyGrant | wire.KeyRefusal, now: float) -> None:
        """Raises MalformedMessage and ProofError for what was forged."""
        match message:
            case wire.KeyRequest():
                self._requested(mate, message)
            case wire.KeyGrant():
                self._granted(mate, message)
            case wire.KeyRefusal():
                self._refused(mate, message, now)

    def tick(self, now: float) -> None:
        """Ask for what is wanted and due."""
        keyring = self._keyring
        for period in keyring.wanted():
            quest = keyring.quests.get(period)
            if quest is None:
                quest = keyring.quests[period] = self._new_quest(period, now)
            if period <= keyring.period and not quest.urgent:
                quest.urgent, quest.source_tries, quest.next_s = True, 0, now
            if now >= quest.next_s:
                self._ask(period, quest, now)

    def _new_quest(self, period: int, now: float) -> Quest:
        circle = self._circle
        lock = circle.manifest.lock if circle.manifest is not None else None
        if lock is None or period <= self._keyring.period:
            return Quest(next_s=now, source_tries=SOURCE_TRIES[0], urgent=True)
        wait_s = circle.rng.uniform(0.0, SPREAD_SHARE * lead_s(lock.rotation_s))
        return Quest(next_s=now + wait_s, source_tries=circle.rng.randrange(SOURCE_TRIES[1] + 1))

    def _ask(self, period: int, quest: Quest, now: float) -> None:
        circle, ticket = self._circle, self._keyring.ticket
        assert ticket is not None
        mates = [mate for mate in circle.mates.values() if mate.leaves_at_s is None]
        if not mates:
            return
        if all(mate.peer.key in quest.asked for mate in mates):
            quest.asked.clear()
        circle.rng.shuffle(mates)
        mate = min(mates, key=lambda mate: self._rank(mate, quest))
        quest.tries += 1
        quest.asked.add(mate.peer.key)
        quest.next_s = now + (ASK_AGAIN_S[0] if quest.tries <= len(mates) else ASK_AGAIN_S[1])
        self._pending = {(key, at): data for (key, at), data in self._pending.items() if at >= period}
        self._pending[mate.peer.key, period] = ticket.data
        circle.say(mate, wire.KeyRequest(tag=circle.tag, period=period, ticket=ticket.data))

    def _rank(self, mate: Mate, quest: Quest) -> tuple[bool, bool, bool]:
        """Those first who have not been asked, who gave keys before, and the source after some others."""
        spared = mate.is_source and quest.tries < quest.source_tries
        return mate.peer.key in quest.asked, spared, mate.peer.key not in self._keyring.holders and not mate.is_source

    def _requested(self, mate: Mate, message: wire.KeyRequest) -> None:
        circle = self._circle
        ticket = read_ticket(message.ticket, circle.stream)
        share = self._keyring.share(message.period, ticket)
        wrapped = None
        if isinstance(share, Share):
            place = (message.ticket, message.period)
            if place not in self._wraps:
                if len(self._wraps) >= WRAPS_MAX:
                    self._wraps.pop(next(iter(self._wraps)))
                self._wraps[place] = wrap(share, ticket, stream=circle.stream, period=message.period, giver=self._me)
            wrapped = self._wraps[place]
            share = Refusal.NO_KEY
        if wrapped is not None:
            circle.say(mate, wire.KeyGrant(tag=circle.tag, period=message.period, wrapped=wrapped))
        else:
            circle.say(mate, wire.KeyRefusal(tag=circle.tag, period=message.period, reason=share))

    def _granted(self, mate: Mate, message: wire.KeyGrant) -> None:
        keyring, circle = self._keyring, self._circle
        ticket, period = keyring.ticket, message.period
        asked_with = self._pending.pop((mate.peer.key, period), None)
        lock = circle.manifest.lock if circle.manifest is not None else None
        if ticket is None or asked_with != ticket.data or lock is None or period not in keyring.wanted():
            return  # not asked for, or not any more
        share = unwrap(
            message.wrapped, ticket, stream=circle.stream, period=period, viewer_secret=keyring.viewer_secret
        )
        if share is None or not keyring.is_key_of(period, share.secret):
            raise ProofError("this is not the key that the source has named")
        # The description may be another manifest's, which is on its way: no proof against who gave it.
        if keyring.accept(period, share, lock):
            keyring.holders.add(mate.peer.key)

    def _refused(self, mate: Mate, message: wire.KeyRefusal, now: float) -> None:
        """Somebody else is asked soon."""
        if self._pending.pop((mate.peer.key, message.period), None) is None:
            return
        self._keyring.holders.discard(mate.peer.key)
        quest = self._keyring.quests.get(message.period)
        if quest is not None and quest.urgent and quest.tries <= len(self._circle.mates):
            quest.next_s = now
