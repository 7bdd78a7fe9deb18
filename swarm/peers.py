"""Who is connected (Peer), what is known of it in one swarm (Mate), and as whose parent it would do (Lead)."""

from dataclasses import dataclass, field
from typing import NamedTuple

from swarm.events import LinkStats
from swarm.messages import Advert, Contact, Home, Hosting, Offer
from swarm.units import Access, Address, LinkId, PeerId, Stripe

ADVERT_FRESH_S = 11.0
"""An advert older than this steers nothing: two missed ones."""

RTT_GUESS_S = 0.05


@dataclass(slots=True)
class Peer:
    """The other end of a link, after both have proved who they are."""

    link: LinkId
    key: PeerId
    address: Address
    dialled: bool
    download_only: bool
    up_since_s: float
    rtt_s: float = RTT_GUESS_S
    queued_bytes: int = 0
    sent_bytes: int = 0
    dropped_bytes: int = 0
    clock_offset_us: int | None = None
    ping_due_s: float = 0.0
    homes: tuple[Home, ...] = ()
    """What it says of where it can be dialled, as far as that can be: one address of a family at most."""

    def measured(self, stats: LinkStats) -> tuple[int, int]:
        """Take in what the driver measured; the bytes sent and dropped since the last time."""
        if stats.rtt_s > 0:
            self.rtt_s = stats.rtt_s
        sent, dropped = stats.sent_bytes - self.sent_bytes, stats.dropped_bytes - self.dropped_bytes
        self.queued_bytes, self.sent_bytes, self.dropped_bytes = (
            stats.queued_bytes,
            stats.sent_bytes,
            stats.dropped_bytes,
        )
        return sent, dropped

    def contacts(self) -> list[Contact]:
        """All addresses at which it may be dialled: where it was dialled before, and what it has told."""
        addresses = [self.address] * self.dialled + [home.address for home in self.homes]
        return [Contact(self.key, address) for address in dict.fromkeys(addresses)]


@dataclass(slots=True)
class Mate:
    """A peer in one swarm: its newest advert and what passed between us, in bytes.

    ``is_source``: the signed manifest names its key; its own word for it would be worth nothing.
    """

    peer: Peer
    advert: Advert | None = None
    advert_at_s: float = float("-inf")
    offers: dict[Stripe, Offer] = field(default_factory=dict)
    hosting: Hosting | None = None
    manifest_version: tuple[int, int] = (0, 0)
    manifest_sent_s: float = float("-inf")
    introduced_until_s: float = 0.0
    homes_known: int = 0
    caught_up_s: dict[Stripe, float] = field(default_factory=dict)
    leaves_at_s: float | None = None
    heard_at_s: float = 0.0
    silent_since_s: float | None = None
    probed_s: float = float("-inf")
    is_source: bool = False
    bytes_in: int = 0
    bytes_out: int = 0

    def heard(self, now: float) -> None:
        """A message came."""
        self.heard_at_s = now
        self.silent_since_s = None

    def advertised(self, advert: Advert, now: float) -> None:
        """Take in a newer advert."""
        self.advert = advert
        self.advert_at_s = now
        self.offers = {offer.stripe: offer for offer in advert.offers}

    @property
    def contact(self) -> Contact:
        colours = 0
        for stripe in self.offers:
            colours |= 1 << stripe
        return Contact(self.peer.key, self.peer.address, colours, self.access)

    @property
    def access(self) -> Access:
        """Who can reach it, as it says itself."""
        return self.advert.access if self.advert is not None else Access.UNKNOWN

    def fresh(self, now: float) -> bool:
        return now - self.advert_at_s < ADVERT_FRESH_S


class Lead(NamedTuple):
    """A possible parent on one stripe; ``score_s`` is the delay that its blocks would have here.

    ``vacant``: it has a place; else another child would have to make way for me.
    """

    key: PeerId
    score_s: float
    vacant: bool = True
