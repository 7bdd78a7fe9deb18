"""One node alone on a stage: the test plays the far ends of all its links, message by message, and owns the clock."""

from random import Random

from swarm import handshake, wire
from swarm.events import Close, Dial, LinkInfo, LinkStats, News, Send
from swarm.identity import Identity
from swarm.manifest import Manifest, RenditionInfo, sign_manifest
from swarm.membership import Membership
from swarm.node import Node
from swarm.pieces import SealedPiece, make_piece, swarm_tag
from swarm.settings import NodeSettings
from swarm.units import Access, Address, LinkId, PeerId, StreamId, Stripe

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)
TAG = swarm_tag(STREAM, 0)
PIECE_S = 0.2
WALL_S = 1_700_000_000.0
TIMERS_MAX = 100
"""Timers that a node may want in a second of quiet; more is a busy loop."""


def actor(number: int) -> Identity:
    return Identity(number.to_bytes(4, "big") * 8)


def rendition(k: int = 4, n: int = 6, number: int = 0) -> RenditionInfo:
    return RenditionInfo(
        number=number, name="main", bitrate_bps=800_000, piece_us=int(PIECE_S * 1e6), k=k, n=n, media=b""
    )


def manifest(
    epoch: int = 1, revision: int = 1, k: int = 4, n: int = 6, number: int = 0, sources: tuple[PeerId, ...] = ()
) -> wire.ManifestMessage:
    renditions = (rendition(k, n, number),)
    described = Manifest(
        stream=STREAM,
        epoch=epoch,
        revision=revision,
        title="show",
        created_us=0,
        sources=sources,
        renditions=renditions,
    )
    return wire.ManifestMessage(tag=TAG, data=sign_manifest(described, OWNER))


def piece(
    number: int, *, epoch: int = 1, key: bool = True, k: int = 4, n: int = 6, payload: bytes = b""
) -> SealedPiece:
    return make_piece(
        payload or b"payload %d" % number * 20,
        stream=STREAM,
        rendition=0,
        epoch=epoch,
        number=number,
        key=key,
        capture_us=int(WALL_S * 1e6) + number * 200_000,
        duration_us=200_000,
        k=k,
        n=n,
        owner=OWNER,
    )


def block(sealed: SealedPiece, index: int) -> bytes:
    return wire.encode_block(sealed.header_bytes, index, sealed.paths[index], sealed.blocks[index])


def offer(stripe: int, *, delay_ms: int = 50, free: int = 9, ancestors: tuple[bytes, ...] = ()) -> wire.Offer:
    return wire.Offer(stripe=Stripe(stripe), delay_ms=delay_ms, free=free, lowest_rank=0, ancestors=ancestors)


def advert(
    *offers: wire.Offer,
    newest: int = 0,
    clock_offset_us: int = 0,
    slots: int = 0,
    access: Access = Access.UNKNOWN,
) -> wire.Advert:
    return wire.Advert(
        tag=TAG,
        newest=newest,
        lag_ms=300,
        uptime_s=5,
        slots=slots,
        clock_depth=0,
        clock_offset_us=clock_offset_us,
        access=access,
        offers=offers,
    )


def subscribe(stripe: int, *, since: int = 0, spare: bool = False) -> wire.Subscribe:
    return wire.Subscribe(tag=TAG, stripe=Stripe(stripe), since=since, spare=spare)


def accept(stripe: int, ancestors: tuple[bytes, ...] = ()) -> wire.Accept:
    return wire.Accept(tag=TAG, stripe=Stripe(stripe), ancestors=ancestors)


INTEREST = wire.Interest(tag=TAG, epoch=0, revision=0)


class Stage:
    """The node, what it has said on each link, and what it has told its application."""

    def __init__(self, *, settings: NodeSettings | None = None, seed: int = 1) -> None:
        self.now = 100.0
        self.identity = Identity(b"m" * 32)
        self.node = Node(
            identity=self.identity,
            settings=settings or NodeSettings(),
            rng=Random(seed),
            wall_offset_s=WALL_S,
            now=self.now,
        )
        self.sent: dict[LinkId, list[bytes]] = {}
        self.closed: dict[LinkId, str] = {}
        self.dials: list[Dial] = []
        self.news: list[News] = []
        self._links = 0

    # -- what happens to the node

    def watch(self, *addresses: Address) -> None:
        self.node.join(STREAM, 0, addresses, self.now)
        self.drain()

    def go_on_air(self, *, epoch: int = 1, k: int = 4, n: int = 6) -> None:
        self.node.broadcast(OWNER, title="show", epoch=epoch, renditions=(rendition(k, n),), now=self.now)
        self.drain()

    def publish(self, number: int, *, key: bool = True) -> None:
        self.node.publish(
            STREAM,
            0,
            b"payload %d" % number * 20,
            number=number,
            key=key,
            capture_us=int((self.now + WALL_S - PIECE_S) * 1e6),
            duration_us=200_000,
            now=self.now,
        )
        self.drain()

    def link(self, *, dialled: PeerId | None = None, address: Address | None = None) -> tuple[LinkId, LinkInfo]:
        """A new link, before anybody said a word; ``dialled``: by the node, and this is the acceptor's key."""
        self._links += 1
        link = LinkId(self._links)
        where = address or Address(f"10.9.{link >> 8}.{link & 255}", 4000)
        info = LinkInfo(dialled=dialled is not None, address=where, binding=b"binding %d" % link, peer=dialled)
        self.node.link_up(link, info, self.now)
        self.drain()
        return link, info

    def meet(self, who: Identity, address: Address | None = None) -> LinkId:
        """Somebody dials the node and introduces himself."""
        link, info = self.link(address=address)
        self.say(link, self.hello(who, info))
        return link

    def hello(self, who: Identity, info: LinkInfo) -> wire.Hello:
        seen = LinkInfo(dialled=True, address=info.address, binding=info.binding, peer=self.node.key)
        return handshake.hello(who, seen, download_only=False)

    def welcome(self, who: Identity) -> wire.Welcome:
        key = PeerId(who.key)
        return wire.Welcome(version=wire.VERSION, key=key, download_only=False, observed=Address("10.9.9.9", 1))

    def befriend(self, number: int, *said: wire.Message) -> LinkId:
        """Meet somebody who is in the same swarm, and let him say this."""
        link = self.meet(actor(number))
        self.say(link, INTEREST, *said)
        return link

    def say(self, link: LinkId, *messages: wire.Message) -> None:
        for message in messages:
            self.receive(link, wire.encode(message))

    def receive(self, link: LinkId, *data: bytes) -> None:
        for one in data:
            self.node.receive(one, link, self.now)
            self.drain()

    def lose(self, link: LinkId) -> None:
        self.node.link_down(link, self.now)
        self.drain()

    def measure(self, link: LinkId, *, queued_bytes: int = 0, rtt_s: float = 0.02) -> None:
        stats = LinkStats(rtt_s=rtt_s, queued_bytes=queued_bytes, sent_bytes=0, received_bytes=0, dropped_bytes=0)
        self.node.link_measured(link, stats, self.now)
        self.drain()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with every timer that the node asks for."""
        end = self.now + seconds
        rung = 0
        while (timer_s := self.node.next_timer()) is not None and timer_s <= end:
            self.now = max(self.now, timer_s)
            self.node.handle_timer(self.now)
            self.drain()
            rung += 1
            assert rung <= TIMERS_MAX * (1 + seconds), "the node's timer never comes to rest"
        self.now = end

    # -- what the node did

    def drain(self) -> None:
        for output in self.node.outputs():
            if isinstance(output, Send):
                self.sent.setdefault(output.link, []).append(output.data)
            elif isinstance(output, Close):
                self.closed[output.link] = output.reason
            elif isinstance(output, Dial):
                self.dials.append(output)
            else:
                self.news.append(output)

    def take(self, link: LinkId) -> list[wire.Message]:
        """What the node has said on a link since last asked, blocks apart."""
        return [wire.decode(data) for data in self.take_bytes(link) if data[0] != wire.BLOCK]

    def take_bytes(self, link: LinkId) -> list[bytes]:
        return self.sent.pop(link, [])

    def take_blocks(self, link: LinkId) -> list[bytes]:
        return [data for data in self.take_bytes(link) if data[0] == wire.BLOCK]

    @property
    def member(self) -> Membership:
        """The node's inside, where only bounds and counters are looked at."""
        found = self.node.members.find(STREAM, 0)
        assert found is not None
        return found
