"""What a node can open of one stream, for all its renditions, and what it may give to others.

    root secret    of a link or a password: all periods follow from it
    ticket         brings the secrets of single periods, given by the source or by others who hold them
    sealer         the source itself
    past keys      what opens pieces of long ago, for who goes back

All that is decided by time goes by the capture times and serials that the source has signed in the newest piece: no
clock of a viewer's or a relay's counts.
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from swarm.errors import LocalError, MalformedMessage, RemoteError
from swarm.manifest import Manifest, is_printable
from swarm.past_keys import PastKeys
from swarm.pieces import PieceHeader
from swarm.sealer import Sealer, Sealing
from swarm.sealing import (
    Lock,
    Place,
    SealHead,
    description_secret,
    key_id,
    key_name,
    open_piece,
    open_text,
    period_secret,
    place_of,
    read_head,
)
from swarm.tickets import Share, Ticket, read_ticket, viewer_key
from swarm.titles import TITLE_CHARS_MAX
from swarm.units import PeerId, StreamId
from swarm.window import PIECES_MAX

PERIODS_MAX: Final = 4
"""Periods of which something is known at a time: the next, this one, and those of pieces that came late."""


class Refusal(IntEnum):
    """Why a key is not given."""

    NO_KEY = 1
    EXPIRED = 2
    REVOKED = 3


@dataclass(slots=True)
class Quest:
    """A period's key that is being asked for; ``urgent``: it is needed now."""

    next_s: float
    source_tries: int
    urgent: bool = False
    tries: int = 0
    asked: set[PeerId] = field(default_factory=set)


class Keyring:
    """The keys of one stream. ``version`` grows when something more, or something less, can be opened."""

    def __init__(self, stream: StreamId) -> None:
        self._stream = stream
        self.past = PastKeys()
        self._description: bytes | None = None
        self._granted: dict[int, bytes] = {}
        self._ids: dict[int, bytes] = {}
        self._newest = (0, 0)
        self._captured_s = 0
        self._head: SealHead | None = None
        self.viewer_secret = b""
        self.ticket: Ticket | None = None
        self.quests: dict[int, Quest] = {}
        self.holders: set[PeerId] = set()
        """Who has given keys."""

        self.version = 0
        self.sealer: Sealer | None = None
        """Of the stream's source, if the stream is sealed."""

    # -- what opens

    def unlock(self, root: bytes) -> bool:
        """Take the root secret of a link or a password; whether it fits is seen when something is opened.

        False when it is here already.
        """
        known, self.past.root = self.past.root, root
        self._description = description_secret(root)
        return known != root

    def show(self, ticket: bytes, viewer_secret: bytes) -> None:
        """Ask for keys with this ticket from now on. Raises LocalError for one that nobody would give keys for."""
        try:
            opened = read_ticket(ticket, self._stream)
        except RemoteError as error:
            raise LocalError(f"this ticket is none for this stream: {error}") from error
        if viewer_key(viewer_secret) != opened.viewer:
            raise LocalError("this ticket is for another viewer's key")
        if self.ticket == opened:
            return
        self.ticket, self.viewer_secret = opened, viewer_secret
        self.quests.clear()
        self.version += 1

    def seal_with(self, sealing: Sealing | None) -> None:
        """The stream is sealed like this from now on, or not at all; the periods go on from epoch to epoch."""
        if sealing is None:
            self.sealer = None
            return
        self.unlock(sealing.root)
        if self.sealer is not None and self.sealer.sealing.root == sealing.root:
            self.sealer.begin(sealing)
        else:
            self.sealer = Sealer(sealing)

    def seal(self, payload: bytes, place: Place, now: float) -> bytes:
        """A payload of the source's, sealed if the stream is. Raises LocalError."""
        if self.sealer is None:
            return payload
        sealed = self.sealer.seal(payload, place, now)
        self._note(place, read_head(sealed)[0])
        return sealed

    def piece(self, header: PieceHeader, sealed: bytes) -> bytes | None:
        """The payload of a sealed piece; None without its key."""
        try:
            head, _ = read_head(sealed)
        except MalformedMessage:
            return None
        place = place_of(header)
        epoch, number = self._newest
        if (place.epoch, place.number) > (epoch, number - PIECES_MAX):
            self._note(place, head)  # of what is older nobody gives keys: there is nothing to ask for
        secret = self.past.secret(key_name(sealed))
        return open_piece(sealed, place, secret) if secret is not None else None

    def manifest(self, manifest: Manifest) -> Manifest | None:
        """A sealed manifest with its title and media as they are; None without the key."""
        lock, secret = manifest.lock, self._description
        if lock is None:
            return manifest
        if secret is None or self._is_out or (title := _title(lock, secret, self._stream)) is None:
            return None
        renditions = []
        for info in manifest.renditions:
            media = open_text(info.media, secret, self._stream, b"media %d" % info.number)
            if media is None:
                return None
            renditions.append(replace(info, media=media))
        return replace(manifest, title=title, renditions=tuple(renditions))

    # -- what a ticket brings

    @property
    def waits(self) -> bool:
        """Whether what cannot be opened yet may be openable soon."""
        return self.ticket is not None and not self._is_out

    def wanted(self) -> list[int]:
        """The periods whose keys are to be asked for."""
        if not self.waits:
            return []
        return [period for period in self._ids if period not in self._granted]

    def is_key_of(self, period: int, secret: bytes) -> bool:
        """Whether the source has named just this secret for the period."""
        return key_id(secret) == self._ids.get(period)

    def accept(self, period: int, share: Share, lock: Lock) -> bool:
        """Take a period's key that somebody has given; False when what comes with it does not open this manifest."""
        if _title(lock, share.description, self._stream) is None:
            return False
        self._granted[period], self._description = share.secret, share.description
        self.past.add(share.secret)
        self.quests.pop(period, None)
        self.version += 1
        return True

    @property
    def period(self) -> int:
        """The period of the newest piece; 0 before there is one."""
        return self._head.period if self._head is not None else 0

    # -- what is given to others

    def share(self, period: int, ticket: Ticket) -> Share | Refusal:
        """What the viewer with this ticket is given for a period that the source has named of late."""
        sealer = self.sealer
        if self._is_revoked(ticket) or (sealer is not None and ticket.serial in sealer.revoked):
            return Refusal.REVOKED
        if max(self._captured_s, period) >= ticket.expires_s:  # a period is named by the second of its beginning
            return Refusal.EXPIRED
        held = self._granted.get(period) if sealer is None else sealer.secret(period)
        if held is None or period not in self._ids or self._description is None or self._is_out:
            return Refusal.NO_KEY
        return Share(held, self._description)

    # -- private parts

    @property
    def _is_out(self) -> bool:
        """Whether the source has said that the ticket that is shown here is not good any more."""
        ticket = self.ticket
        if ticket is None or self._head is None or self._secret(self._head.period) is not None:
            return False
        return self._captured_s >= ticket.expires_s or self._is_revoked(ticket)

    def _is_revoked(self, ticket: Ticket) -> bool:
        return self._head is not None and ticket.serial in self._head.revoked

    def _secret(self, period: int) -> bytes | None:
        root = self.past.root
        return period_secret(root, period) if root is not None else self._granted.get(period)

    def _note(self, place: Place, head: SealHead) -> None:
        """Learn from a piece that the source has signed which periods there are; the newest piece counts."""
        self._learn(head.period, head.key_id)
        if (place.epoch, place.number) <= self._newest:
            return
        out_before = self._is_out
        self._newest, self._captured_s = (place.epoch, place.number), place.capture_us // 1_000_000
        self._head = head
        for passed_over in [period for period in self._ids if period > head.period and period != head.next_period]:
            self._forget(passed_over)
        if head.next_period:
            self._learn(head.next_period, head.next_key_id)
        self.version += self._is_out != out_before

    def _learn(self, period: int, own_id: bytes) -> None:
        if self._ids.get(period) == own_id:
            return
        self._forget(period)
        self._ids[period] = own_id
        while len(self._ids) > PERIODS_MAX:
            self._forget(min(self._ids))

    def _forget(self, period: int) -> None:
        for known in (self._ids, self._granted, self.quests):
            known.pop(period, None)


def fits(root: bytes, lock: Lock, stream: StreamId) -> bool:
    """Whether this is the root secret of a stream with such a lock."""
    return _title(lock, description_secret(root), stream) is not None


def _title(lock: Lock, secret: bytes, stream: StreamId) -> str | None:
    """The sealed title; one that cannot be shown is none."""
    opened = open_text(lock.title, secret, stream, b"title")
    if opened is None:
        return None
    title = opened.decode(errors="replace")
    return title if len(title) <= TITLE_CHARS_MAX and is_printable(title) else ""
