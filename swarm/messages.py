"""What peers say to each other, as values: the messages of the protocol, blocks apart. ``wire`` has their bytes."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from swarm.units import Access, Address, PeerId, Stripe, SwarmTag

VERSION: Final = 5
PEERS_MAX: Final = 32
HINTS_MAX: Final = 3
HOMES_MAX: Final = 4
ANCESTORS_MAX: Final = 16
ANCESTOR_BYTES: Final = 4
MANIFEST_BYTES_MAX: Final = 160 * 1024
TOMBSTONE_BYTES_MAX: Final = 512
TICKET_BYTES: Final = 109
WRAPPED_BYTES: Final = 112


class Contact(NamedTuple):
    """A peer, where it was last seen, the stripes that it was seen to relay (bit i: stripe i), and what it says of
    who can reach it."""

    key: PeerId
    address: Address
    colours: int = 0
    access: Access = Access.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The dialler's first message: who it is, with the proof, and the address that it sees of the other."""

    version: int
    key: PeerId
    proof: bytes
    download_only: bool
    observed: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The acceptor's answer; its key was proved by the transport."""

    version: int
    key: PeerId
    download_only: bool
    observed: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """I am in this swarm, and hold this manifest (0, 0: none). A newer one is the answer."""

    tag: SwarmTag
    epoch: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestMessage:
    """A signed manifest, passed on as it came."""

    tag: SwarmTag
    data: bytes


class Offer(NamedTuple):
    """One stripe that the sender relays: its delay behind the capture, free slots, and who feeds it.

    ``lowest_rank`` is the worst rank among its children there: a better one may take that place.
    """

    stripe: Stripe
    delay_ms: int
    free: int
    lowest_rank: int
    ancestors: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advert:
    """What a neighbour needs to choose parents and whom to ask for repair; sent every few seconds.

    ``slots``: how many children the sender has room for on all its stripes. ``lag_ms`` 65535: lends no repair.
    """

    tag: SwarmTag
    newest: int
    lag_ms: int
    uptime_s: int
    slots: int
    clock_depth: int
    clock_offset_us: int
    access: Access
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Peer exchange: some neighbours of mine in this swarm."""

    tag: SwarmTag
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Send me this stripe from piece ``since`` on (0: from the last key frame)."""

    tag: SwarmTag
    stripe: Stripe
    since: int
    spare: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Yes; ``above``: who feeds the sender there, if anybody, to be asked when the sender is gone."""

    tag: SwarmTag
    stripe: Stripe
    ancestors: tuple[bytes, ...]
    above: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    tag: SwarmTag
    stripe: Stripe
    hints: tuple[Contact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    tag: SwarmTag
    stripe: Stripe


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Find another parent for this stripe: your place goes to a peer that passes it on to more."""

    tag: SwarmTag
    stripe: Stripe
    hints: tuple[Contact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Repair: send me up to ``count`` blocks of this piece that are not in ``held`` (bit i: block i)."""

    tag: SwarmTag
    number: int
    held: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorry:
    tag: SwarmTag
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """I leave this swarm; for my children, the parent that I had on each stripe."""

    tag: SwarmTag
    parents: tuple[tuple[Stripe, Contact], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meet:
    """Introduce me to this mate of yours: it may be that we reach each other only if both dial at once."""

    tag: SwarmTag
    key: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduce:
    """A mate of mine wants to reach you: dial it now, at the address that I see of it."""

    tag: SwarmTag
    contact: Contact


class Home(NamedTuple):
    """An address at which a peer can be dialled, and what stands before it there."""

    address: Address
    access: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """Where I can be dialled besides where you see me: in the other address family, or at a port that a router keeps
    open for me."""

    homes: tuple[Home, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TombstoneMessage:
    """The stream is over for good: a signed tombstone, passed on as it came."""

    tag: SwarmTag
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """Give me the key of this period of a sealed stream: here is my ticket."""

    tag: SwarmTag
    period: int
    ticket: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGrant:
    """The key of this period, wrapped for the ticket's viewer."""

    tag: SwarmTag
    period: int
    wrapped: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefusal:
    """No key of this period for you; ``reason``: `swarm.keyring.Refusal`."""

    tag: SwarmTag
    period: int
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """We are in one household, and I have the stream: so many more may lodge with me. ``above``: with whom I lodge, and
    it in turn, nearest first; nobody, if I fetch the stream from outside. ``gives``: who fetches it relays it."""

    tag: SwarmTag
    places: int
    gives: bool
    above: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lodge:
    """Send me the stream whole, from piece ``since`` on (0: from the last key frame)."""

    tag: SwarmTag
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lodged:
    """Yes: you get all blocks from now on, as many as each piece needs."""

    tag: SwarmTag


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlodge:
    """From a lodger: send me nothing more. From a host: there is no place, or no more."""

    tag: SwarmTag


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    sent_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """``sent_us`` comes back as it was; ``wall_us`` is the sender's wall clock (NTP's two-way exchange)."""

    sent_us: int
    wall_us: int


Message = (
    Hello | Welcome | Interest | ManifestMessage | Advert | Peers | Subscribe | Accept | Reject
    | Unsubscribe | Moved | Want | Sorry | Bye | Meet | Introduce | Homes | Ping | Pong | TombstoneMessage
    | KeyRequest | KeyGrant | KeyRefusal | Hosting | Lodge | Lodged | Unlodge
)  # fmt: skip
