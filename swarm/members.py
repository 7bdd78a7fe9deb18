"""The swarms that a node is in, by their tags, and what those of one stream share: its keys."""

from collections.abc import Collection, Sequence
from random import Random

from swarm.circle import Circle
from swarm.errors import LocalError
from swarm.events import Output, StreamBuried
from swarm.graves import Graves
from swarm.identity import Identity
from swarm.keyring import Keyring
from swarm.manifest import RenditionInfo
from swarm.membership import Membership
from swarm.past_keys import PastKeys
from swarm.reading import Reader
from swarm.sealer import Sealing
from swarm.settings import NodeSettings
from swarm.strain import Strain
from swarm.tombstone import Tombstone
from swarm.traversal import Vantage
from swarm.units import Address, PeerId, StreamId, SwarmTag
from swarm.uplink import Uplink


class Members(dict[SwarmTag, Membership]):
    """One node's memberships."""

    def __init__(
        self,
        *,
        me: Identity,
        settings: NodeSettings,
        uplink: Uplink,
        vantage: Vantage,
        strain: Strain,
        rng: Random,
        wall_offset_s: float,
        reader: Reader,
        out: list[Output],
    ) -> None:
        super().__init__()
        self._me = me
        self._settings = settings
        self._uplink = uplink
        self._vantage = vantage
        self._strain = strain
        self._rng = rng
        self._wall_offset_s = wall_offset_s
        self._reader = reader
        self._out = out
        self._keyrings: dict[StreamId, Keyring] = {}
        self.graves = Graves()

    def find(self, stream: StreamId, rendition: int) -> Membership | None:
        """The swarm of a rendition, if this node is in it."""
        return next((member for member in self.of(stream) if member.circle.rendition == rendition), None)

    def of(self, stream: StreamId) -> list[Membership]:
        """The swarms of a stream."""
        return [member for member in self.values() if member.circle.stream == stream]

    def enter(self, stream: StreamId, rendition: int, owner: Identity | None, now: float) -> Membership:
        """Be in one more swarm; ``owner``: as its source."""
        circle = Circle(
            stream=stream,
            rendition=rendition,
            me=PeerId(self._me.key),
            owner=owner,
            settings=self._settings,
            uplink=self._uplink,
            vantage=self._vantage,
            strain=self._strain,
            rng=self._rng,
            wall_offset_s=self._wall_offset_s,
            reader=self._reader,
            keyring=self.keyring(stream),
            out=self._out,
        )
        member = self[circle.tag] = Membership(circle, self._me, now, lambda: len(self))
        return member

    def broadcast(
        self,
        owner: Identity,
        *,
        title: str,
        epoch: int,
        renditions: tuple[RenditionInfo, ...],
        sources: tuple[PeerId, ...],
        sealing: Sealing | None,
        now: float,
    ) -> None:
        """Be the source of all these renditions. Raises LocalError, and changes nothing."""
        if StreamId(owner.key) in self.graves:
            raise LocalError("this stream has been ended for good; broadcast with a new key")
        if sealing is not None and len(sources) > 1:
            raise LocalError("a sealed stream has one source")
        entered, told = set(self), len(self._out)
        try:
            self.keyring(StreamId(owner.key)).seal_with(sealing)
            for rendition in renditions:
                self._broadcaster(owner, rendition.number, now).broadcast(title, epoch, renditions, sources, now)
        except LocalError:
            for tag in self.keys() - entered:
                del self[tag]
            del self._out[told:]
            raise

    def found(self, stream: StreamId, addresses: Sequence[Address], now: float) -> None:
        """Addresses that may be peers of a stream, by the word of anybody."""
        for member in self.of(stream):
            member.found(addresses, now)

    def reached(self, address: Address, key: PeerId) -> None:
        """A dial has led to somebody who is known by another link."""
        for member in self.values():
            member.book.reached(address, key)

    @property
    def dialling(self) -> set[Address]:
        """Where a dial is on its way, in whichever of them."""
        return set().union(*(member.book.dialling for member in self.values()))

    def dial_over(self, address: Address, now: float) -> None:
        """A dial has led to nobody."""
        for member in self.values():
            member.book.failed(address, now)

    def keyring(self, stream: StreamId) -> Keyring:
        """The keys of a stream, which last as long as this node is in one of its swarms."""
        return self._keyrings.setdefault(stream, Keyring(stream))

    def unlock(self, stream: StreamId, root: bytes) -> None:
        """Open a sealed stream with its root secret, from here on."""
        if self.keyring(stream).unlock(root):
            for member in self.of(stream):
                member.circle.tell_manifest()

    def show(self, stream: StreamId, ticket: bytes, viewer_secret: bytes) -> None:
        """Ask for the keys of a sealed stream with a ticket. Raises LocalError for one that is none."""
        self.keyring(stream).show(ticket, viewer_secret)

    def past_keys(self, stream: StreamId) -> PastKeys:
        """What opens the stream's pieces of before; it goes on opening them when this node has left."""
        return self.keyring(stream).past

    def revoke(self, stream: StreamId, serials: Collection[bytes], now: float) -> None:
        """These tickets, and no others, get no key any more. Raises LocalError where that cannot be said."""
        sealer = self.keyring(stream).sealer
        if sealer is None:
            raise LocalError("this stream is not sealed from this node")
        sealer.revoke(serials, now)

    def bury(self, tombstone: Tombstone) -> None:
        """A stream is over for good: tell all mates, leave its swarms, and keep the proof for those who come later."""
        if not self.graves.add(tombstone):
            return
        for member in self.of(tombstone.stream):
            member.tell_end(tombstone)
            del self[member.circle.tag]
        self.forget_keys()
        self._out.append(StreamBuried(stream=tombstone.stream, tombstone=tombstone))

    def is_over(self, stream: StreamId) -> bool:
        """Whether a stream that is about to be joined is over for good; that is told then."""
        tombstone = self.graves.get(stream)
        if tombstone is not None:
            self._out.append(StreamBuried(stream=stream, tombstone=tombstone))
        return tombstone is not None

    def forget_keys(self) -> None:
        """Of streams that this node is not in any more."""
        present = {member.circle.stream for member in self.values()}
        self._keyrings = {stream: keyring for stream, keyring in self._keyrings.items() if stream in present}

    def _broadcaster(self, owner: Identity, rendition: int, now: float) -> Membership:
        """The swarm that this node is the source of, entered if need be. Raises LocalError when it watches it."""
        stream = StreamId(owner.key)
        member = self.find(stream, rendition) or self.enter(stream, rendition, owner, now)
        if not member.circle.is_source:
            raise LocalError("this node watches the stream already; leave it before broadcasting it")
        return member
