"""Hypothesis strategies for what travels on the wire, all fields over their whole range."""

from hypothesis import strategies as st

from swarm import wire
from swarm.units import Access, Address, PeerId, Stripe, SwarmTag

U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFF_FFFF)
U64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)
I64 = st.integers(-(1 << 63), (1 << 63) - 1)

tags = st.binary(min_size=8, max_size=8).map(SwarmTag)
keys = st.binary(min_size=32, max_size=32).map(PeerId)
stripes = st.integers(0, 63).map(Stripe)
hosts = st.ip_addresses().map(lambda ip: str(ip).partition("%")[0])
addresses = st.builds(Address, hosts, U16)
accesses = st.sampled_from(Access)
contacts = st.builds(wire.Contact, keys, addresses, U64, accesses)
hints = st.lists(contacts, max_size=wire.HINTS_MAX).map(tuple)
ancestors = st.lists(st.binary(min_size=4, max_size=4), max_size=wire.ANCESTORS_MAX).map(tuple)
offers = st.builds(wire.Offer, stripe=stripes, delay_ms=U16, free=U8, lowest_rank=U8, ancestors=ancestors)

hellos = st.builds(
    wire.Hello,
    version=U8,
    key=keys,
    proof=st.binary(min_size=64, max_size=64),
    download_only=st.booleans(),
    observed=addresses,
)
welcomes = st.builds(wire.Welcome, version=U8, key=keys, download_only=st.booleans(), observed=addresses)
homes = st.builds(
    wire.Homes, homes=st.lists(st.builds(wire.Home, addresses, accesses), max_size=wire.HOMES_MAX).map(tuple)
)
pings = st.builds(wire.Ping, sent_us=I64)
pongs = st.builds(wire.Pong, sent_us=I64, wall_us=I64)


def swarm_messages(tag: st.SearchStrategy[SwarmTag] = tags) -> st.SearchStrategy[wire.Message]:
    """Every message that names a swarm."""
    return st.one_of(
        st.builds(wire.Interest, tag=tag, epoch=U32, revision=U32),
        st.builds(wire.ManifestMessage, tag=tag, data=st.binary(max_size=300)),
        st.builds(
            wire.Advert,
            tag=tag,
            newest=U64,
            lag_ms=U16,
            uptime_s=U32,
            slots=U16,
            clock_depth=U8,
            clock_offset_us=I64,
            access=accesses,
            offers=st.lists(offers, max_size=4).map(tuple),
        ),
        st.builds(wire.Peers, tag=tag, contacts=st.lists(contacts, max_size=4).map(tuple)),
        st.builds(wire.Subscribe, tag=tag, stripe=stripes, since=U64, spare=st.booleans()),
        st.builds(wire.Accept, tag=tag, stripe=stripes, ancestors=ancestors),
        st.builds(wire.Reject, tag=tag, stripe=stripes, hints=hints),
        st.builds(wire.Unsubscribe, tag=tag, stripe=stripes),
        st.builds(wire.Moved, tag=tag, stripe=stripes, hints=hints),
        st.builds(wire.Want, tag=tag, number=U64, held=U64, count=st.integers(0, 64)),
        st.builds(wire.Sorry, tag=tag, number=U64),
        st.builds(wire.Meet, tag=tag, key=keys),
        st.builds(wire.Introduce, tag=tag, contact=contacts),
        st.builds(
            wire.KeyRequest, tag=tag, period=st.integers(0, 2**32 - 1), ticket=st.binary(min_size=109, max_size=109)
        ),
        st.builds(
            wire.KeyGrant, tag=tag, period=st.integers(0, 2**32 - 1), wrapped=st.binary(min_size=112, max_size=112)
        ),
        st.builds(wire.KeyRefusal, tag=tag, period=st.integers(0, 2**32 - 1), reason=st.integers(0, 3)),
        st.builds(wire.Hosting, tag=tag, places=st.integers(0, 255), gives=st.booleans(), above=ancestors),
        st.builds(wire.Lodge, tag=tag, since=U64),
        st.builds(wire.Lodged, tag=tag),
        st.builds(wire.Unlodge, tag=tag),
        st.builds(wire.TombstoneMessage, tag=tag, data=st.binary(max_size=200)),
        st.builds(wire.Bye, tag=tag, parents=st.lists(st.tuples(stripes, contacts), max_size=4).map(tuple)),
    )


def messages() -> st.SearchStrategy[wire.Message]:
    """Every message but blocks."""
    return st.one_of(swarm_messages(), hellos, welcomes, homes, pings, pongs)
