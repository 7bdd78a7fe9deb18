"""Neighbours made for tests of the rules: what they are and what they advertise, without links or nodes."""

from swarm.peers import Mate, Peer
from swarm.units import Access, Address, LinkId, PeerId, Stripe, SwarmTag
from swarm.wire import Advert, Offer

TAG = SwarmTag(b"12345678")


def key(number: int) -> PeerId:
    return PeerId(number.to_bytes(4, "big") * 8)


def offer(
    stripe: int = 0, *, delay_ms: int = 100, free: int = 1, lowest_rank: int = 0, ancestors: tuple[bytes, ...] = ()
) -> Offer:
    return Offer(stripe=Stripe(stripe), delay_ms=delay_ms, free=free, lowest_rank=lowest_rank, ancestors=ancestors)


def advert(
    *offers: Offer,
    newest: int = 0,
    lag_ms: int = 60_000,
    clock_depth: int = 0xFF,
    clock_offset_us: int = 0,
    slots: int = 0,
    access: Access = Access.UNKNOWN,
) -> Advert:
    return Advert(
        tag=TAG,
        newest=newest,
        lag_ms=lag_ms,
        uptime_s=10,
        slots=slots,
        clock_depth=clock_depth,
        clock_offset_us=clock_offset_us,
        access=access,
        offers=offers,
    )


def mate(
    number: int, said: Advert | None = None, *, at_s: float = 0.0, rtt_s: float = 0.02, source: bool = False
) -> Mate:
    address = Address(f"10.0.0.{number}", 4000)
    found = Mate(Peer(LinkId(number), key(number), address, dialled=True, download_only=False, up_since_s=0.0))
    found.peer.rtt_s, found.is_source = rtt_s, source
    if said is not None:
        found.advertised(said, at_s)
    return found
