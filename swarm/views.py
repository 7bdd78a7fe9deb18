"""A swarm as the application may know it: its figures at one moment, and each neighbour's."""

from swarm.circle import Circle
from swarm.feeds import Feeds
from swarm.gathering import Gathering
from swarm.outgo import Outgo
from swarm.peers import Mate
from swarm.status import PeerStatus, StreamStatus


def stream_status(
    circle: Circle, feeds: Feeds, outgo: Outgo, gathering: Gathering, *, bytes_in: int, bytes_out: int
) -> StreamStatus:
    """One swarm; the bytes are those of all its neighbours, past ones included."""
    return StreamStatus(
        peers=tuple(_peer_status(mate, circle, feeds, outgo) for mate in circle.mates.values()),
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        payload_bytes=gathering.payload_bytes,
        pieces_ready=gathering.ready,
        pieces_lost=gathering.lost,
        delay_s=gathering.delay_s,
        clock_offset_s=circle.clock_offset_us / 1e6,
        bitrate_bps=circle.bitrate_bps,
        colours=outgo.nursery.colours,
        slots=outgo.nursery.total,
        children=outgo.nursery.used,
        blocks=gathering.blocks,
        surplus=gathering.surplus,
        duplicates=gathering.duplicates,
        equivocations=circle.window.equivocations,
    )


def _peer_status(mate: Mate, circle: Circle, feeds: Feeds, outgo: Outgo) -> PeerStatus:
    return PeerStatus(
        key=mate.peer.key,
        address=mate.peer.address,
        dialled=mate.peer.dialled,
        bytes_in=mate.bytes_in,
        bytes_out=mate.bytes_out,
        rtt_s=mate.peer.rtt_s,
        stripes_from=tuple(feeds.stripes_from(mate.peer.key)),
        stripes_to=tuple(outgo.nursery.stripes_of(mate.peer.key)),
        is_source=mate.is_source,
        access=mate.access,
        lodging=circle.household.role(mate.peer.key),
    )
