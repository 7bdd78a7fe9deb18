"""The source's side of a sealed stream: under which key each piece goes out, and when the next one takes over.

    at the start        a period of its own, named by the capture's second
    lead_s before end   the next period's name and key id stand in every piece: who has the next key is never late
    at the end          the next period
    a ticket revoked    the next period comes lead_s from now; one that was announced before is passed over

Time is the node's clock, which never runs back; the names of periods are seconds since 1970 that only grow.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

from swarm.errors import LocalError
from swarm.manifest import Manifest
from swarm.sealing import (
    REVOKED_MAX,
    SALT_BYTES,
    Admission,
    Lock,
    Place,
    SealHead,
    description_secret,
    key_id,
    period_secret,
    seal_piece,
    seal_text,
)
from swarm.units import SwarmTag

ROTATION_S: Final = 60
LEAD_S_MAX: Final = 15.0
"""So long before the end of a period the next one is announced, or a third of it where that is less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """What a broadcaster chooses for a sealed stream, and its secrets.

    ``session`` is 8 bytes drawn anew for every start of the source. ``salt`` and ``cost`` are a password's.
    """

    admission: Admission
    session: bytes
    root: bytes = field(repr=False)
    rotation_s: int = ROTATION_S
    salt: bytes = bytes(SALT_BYTES)
    cost: int = 0


def lead_s(rotation_s: int) -> float:
    """How long before it begins a period is announced."""
    return min(LEAD_S_MAX, rotation_s / 3)


class Sealer:
    """Seals one stream's pieces, all its renditions under the same periods."""

    def __init__(self, sealing: Sealing) -> None:
        self.sealing = sealing
        self._lead_s = lead_s(sealing.rotation_s)
        self._period = 0
        self._next = 0
        self._turn_s = 0.0
        self._newest = 0
        self._sealed: dict[tuple[SwarmTag, int], int] = {}
        self.revoked: tuple[bytes, ...] = ()
        """The serials of tickets that get no key any more."""

    @property
    def periods(self) -> tuple[int, ...]:
        """The period of now, and the next one when it has been announced."""
        return tuple(period for period in (self._period, self._next) if period)

    def secret(self, period: int) -> bytes:
        """The secret of a period."""
        return period_secret(self.sealing.root, period)

    def begin(self, sealing: Sealing) -> None:
        """Another epoch, with the same root secret: the periods go on."""
        if sealing.session != self.sealing.session:
            self._sealed.clear()
        self.sealing = sealing
        self._newest = 0

    def seal(self, payload: bytes, place: Place, now: float) -> bytes:
        """The sealed payload. Raises LocalError for an empty one, and for a number that was sealed before."""
        if not payload:
            raise LocalError("a piece must have at least one byte")
        if place.number <= self._sealed.get((place.tag, place.epoch), 0):
            raise LocalError(f"piece {place.number} comes after a later one: a sealed stream's numbers only grow")
        if place.number > self._newest:
            self._newest = place.number
            self._turn(place.capture_us // 1_000_000, now)
        self._sealed[place.tag, place.epoch] = place.number
        return seal_piece(payload, self._head(), self.secret(self._period), place)

    def describe(self, manifest: Manifest) -> Manifest:
        """The manifest as others may read it: title and media sealed."""
        chosen, secret, stream = self.sealing, description_secret(self.sealing.root), manifest.stream
        lock = Lock(
            admission=chosen.admission,
            rotation_s=chosen.rotation_s,
            session=chosen.session,
            salt=chosen.salt,
            cost=chosen.cost,
            title=seal_text(manifest.title.encode(), secret, stream, b"title"),
        )
        renditions = tuple(
            replace(info, media=seal_text(info.media, secret, stream, b"media %d" % info.number))
            for info in manifest.renditions
        )
        return replace(manifest, title="", renditions=renditions, lock=lock)

    def revoke(self, serials: Collection[bytes], now: float) -> None:
        """These tickets, and no others, get no key any more; new ones among them end this period early.

        Raises LocalError for more than fit into a piece.
        """
        revoked = tuple(sorted(serials))
        if len(revoked) > REVOKED_MAX:
            raise LocalError(f"at most {REVOKED_MAX} tickets that have not expired can be revoked")
        fresh = not set(revoked) <= set(self.revoked)
        self.revoked = revoked
        if fresh and self._period:
            self._next = max(self._period, self._next) + 1
            self._turn_s = now + self._lead_s

    def _turn(self, capture_s: int, now: float) -> None:
        """Begin the period that is due, and announce the one after it in time."""
        if not self._period or now >= self._turn_s:
            self._period = self._next or max(self._period + 1, capture_s)
            self._next = 0
            self._turn_s = now + self.sealing.rotation_s
        if not self._next and now >= self._turn_s - self._lead_s:
            self._next = max(self._period + 1, capture_s + int(self._lead_s))

    def _head(self) -> SealHead:
        upcoming = {}
        if self._next:
            upcoming = {"next_period": self._next, "next_key_id": key_id(self.secret(self._next))}
        return SealHead(
            session=self.sealing.session,
            period=self._period,
            key_id=key_id(self.secret(self._period)),
            revoked=self.revoked,
            **upcoming,  # type: ignore[arg-type]
        )
