"""Messages of every type made by chance, for the fuzzer: mostly well-formed, with fields that like their bounds."""

from collections import deque
from collections.abc import Callable
from random import Random

from swarm import wire
from swarm.identity import Identity
from swarm.manifest import Manifest, RenditionInfo, sign_manifest
from swarm.pieces import SealedPiece, make_piece, swarm_tag
from swarm.units import Access, Address, PeerId, StreamId, Stripe, SwarmTag

BATCHES = 24
"""Pieces of which blocks are sent: the last ones made."""

HOSTS = (
    "10.1.{}.{}",
    "8.8.{}.{}",
    "127.0.{}.{}",
    "9.{}.{}.1",
    "224.0.{}.{}",
    "2a00:1450:{}::{}",
    "fe80::{}:{}",
    "::{}",
)
CODINGS = ((4, 6), (1, 1), (2, 9), (12, 16), (1, 64))


class Grammar:
    """Makes messages for and against one stream. ``number`` and ``epoch`` are where its source is."""

    def __init__(self, rng: Random, owner: Identity) -> None:
        self._rng = rng
        self._owner = owner
        self.stream = StreamId(owner.key)
        self.tag = swarm_tag(self.stream, 0)
        self.epoch, self.number, self.revision = 1, 1000, 1
        self.coding = CODINGS[0]
        self.keys = [PeerId(rng.randbytes(32)) for _ in range(40)]
        self._pieces: deque[SealedPiece] = deque(maxlen=BATCHES)
        self._manifests: deque[bytes] = deque(maxlen=8)
        self._kinds: tuple[Callable[[], wire.Message], ...] = (
            self._interest, self._manifest, self._advert, self._advert, self._peers, self._subscribe, self._subscribe,
            self._accept, self._accept, self._reject, self._unsubscribe, self._moved, self._want, self._want,
            self._sorry, self._bye, self._ping, self._pong, self._meet, self._introduce,
            self._tombstone, self._key_request, self._key_grant, self._key_refusal,
            self._hosting, self._lodge, self._lodged, self._unlodge,
        )  # fmt: skip
        self.describe()
        self.advance()

    # -- the source goes on

    def advance(self) -> None:
        """The next piece; now and then one of another epoch, number, coding or content, all well signed."""
        rng, number, epoch = self._rng, self.number, self.epoch
        self.number += 1
        match rng.randrange(100):
            case 0:
                number = max(1, number + rng.choice([-200, -30, 30, 300, 5000]))
            case 1:
                self.epoch += 1
                self.number = number = max(1, number + rng.choice([-500, 0, 1, 100]))
                epoch = self.epoch
            case 2:
                epoch = max(0, epoch - 1)
            case 3:
                self.coding = rng.choice(CODINGS)
                self.describe()
        k, n = self.coding if rng.random() < 0.97 else rng.choice(CODINGS)
        for _ in range(2 if rng.random() < 0.02 else 1):
            self._pieces.append(
                make_piece(
                    rng.randbytes(rng.choice([1, 40, 400, 4000])),
                    stream=self.stream,
                    rendition=0,
                    epoch=epoch,
                    number=number,
                    key=rng.random() < 0.2,
                    capture_us=rng.choice([0, -(1 << 63), (1 << 63) - 1, 1_700_000_000_000_000]),
                    duration_us=rng.choice([1, 200_000, 10_000_000]),
                    k=k,
                    n=n,
                    owner=self._owner,
                )
            )

    def describe(self) -> None:
        """A new manifest, signed."""
        rng = self._rng
        self.revision += 1
        (k, n) = self.coding
        bitrate = rng.choice([0, 1, 800_000, 0xFFFF_FFFF])
        rendition = RenditionInfo(
            number=0 if rng.random() < 0.9 else 5,
            name="main",
            bitrate_bps=bitrate,
            piece_us=rng.choice([1, 200_000, 10_000_000]),
            k=k,
            n=n,
            media=b"",
        )
        manifest = Manifest(
            stream=self.stream,
            epoch=self.epoch,
            revision=self.revision,
            title="show",
            created_us=0,
            sources=tuple(rng.sample(self.keys, rng.randrange(5))),
            renditions=(rendition,),
            ended=rng.random() < 0.05,
        )
        self._manifests.append(sign_manifest(manifest, self._owner))

    # -- what travels

    def message(self) -> bytes:
        """One control message."""
        return wire.encode(self._rng.choice(self._kinds)())

    def introduction(self) -> bytes:
        """A hello or a welcome, false and out of place."""
        return wire.encode(self._hello() if self._rng.random() < 0.5 else self._welcome())

    def block(self) -> bytes:
        """One true block of a recent piece."""
        rng = self._rng
        sealed = rng.choice(self._pieces)
        index = rng.randrange(len(sealed.blocks))
        return wire.encode_block(sealed.header_bytes, index, sealed.paths[index], sealed.blocks[index])

    def manifest(self) -> bytes:
        """The newest manifest as a message."""
        return wire.encode(wire.ManifestMessage(tag=self.tag, data=self._manifests[-1]))

    def accept(self, stripe: int) -> bytes:
        """A yes to a request."""
        return wire.encode(wire.Accept(tag=self.tag, stripe=Stripe(stripe), ancestors=()))

    def mutate(self, data: bytes) -> bytes:
        """The same bytes with some of them changed, cut, doubled or moved."""
        rng = self._rng
        at = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                return data[:at]
            case 1:
                return data + data[at:]
            case 2:
                return data[:at] + rng.randbytes(rng.choice([1, 2, 8])) + data[at:]
            case 3:
                return data[:at] + rng.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * 4 + data[at + 4 :]
            case _:
                return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]

    def garbage(self) -> bytes:
        """Bytes that mean nothing, with or without a type in front."""
        data = self._rng.randbytes(self._rng.choice([0, 1, 9, 60, 300]))
        return bytes([self._rng.randrange(20)]) + data if self._rng.random() < 0.8 else data

    # -- fields

    def _unsigned(self, bits: int) -> int:
        rng = self._rng
        most = (1 << bits) - 1
        return rng.choice([0, 1, most, most >> 1, rng.getrandbits(bits), rng.randrange(min(most, 300) + 1)])

    def _signed(self) -> int:
        return self._unsigned(64) - (1 << 63)

    def _near(self) -> int:
        return max(0, self.number + self._rng.randrange(-120, 40)) if self._rng.random() < 0.9 else self._unsigned(64)

    def _tag(self) -> SwarmTag:
        return self.tag if self._rng.random() < 0.97 else SwarmTag(self._rng.randbytes(8))

    def _stripe(self) -> Stripe:
        return Stripe(self._rng.randrange(self.coding[1] if self._rng.random() < 0.9 else 64))

    def _address(self) -> Address:
        rng = self._rng
        host = rng.choice(HOSTS).format(rng.randrange(256), rng.randrange(256))
        return Address(host, self._unsigned(16))

    def _contact(self) -> wire.Contact:
        return wire.Contact(self._rng.choice(self.keys), self._address(), self._unsigned(64), self._access())

    def _access(self) -> Access:
        return Access(self._rng.randrange(4))

    def _contacts(self, most: int) -> tuple[wire.Contact, ...]:
        return tuple(self._contact() for _ in range(self._rng.choice([0, 1, 2, most])))

    def _ancestors(self) -> tuple[bytes, ...]:
        return tuple(self._rng.choice(self.keys)[:4] for _ in range(self._rng.choice([0, 0, 1, 3, 16])))

    def _offer(self) -> wire.Offer:
        return wire.Offer(
            stripe=self._stripe(),
            delay_ms=self._unsigned(16),
            free=self._unsigned(8),
            lowest_rank=self._unsigned(8),
            ancestors=self._ancestors(),
        )

    # -- messages

    def _interest(self) -> wire.Message:
        return wire.Interest(tag=self._tag(), epoch=self._unsigned(32), revision=self._unsigned(32))

    def _manifest(self) -> wire.Message:
        return wire.ManifestMessage(tag=self._tag(), data=self._rng.choice(self._manifests))

    def _advert(self) -> wire.Message:
        return wire.Advert(
            tag=self._tag(),
            newest=self._near(),
            lag_ms=self._unsigned(16),
            uptime_s=self._unsigned(32),
            slots=self._unsigned(16),
            clock_depth=self._unsigned(8),
            clock_offset_us=self._signed(),
            access=self._access(),
            offers=tuple(self._offer() for _ in range(self._rng.choice([0, 1, 3, 6]))),
        )

    def _peers(self) -> wire.Message:
        return wire.Peers(tag=self._tag(), contacts=self._contacts(6))

    def _subscribe(self) -> wire.Message:
        return wire.Subscribe(
            tag=self._tag(), stripe=self._stripe(), since=self._near(), spare=self._rng.random() < 0.2
        )

    def _accept(self) -> wire.Message:
        return wire.Accept(tag=self._tag(), stripe=self._stripe(), ancestors=self._ancestors())

    def _reject(self) -> wire.Message:
        return wire.Reject(tag=self._tag(), stripe=self._stripe(), hints=self._contacts(3))

    def _unsubscribe(self) -> wire.Message:
        return wire.Unsubscribe(tag=self._tag(), stripe=self._stripe())

    def _moved(self) -> wire.Message:
        return wire.Moved(tag=self._tag(), stripe=self._stripe(), hints=self._contacts(3))

    def _want(self) -> wire.Message:
        return wire.Want(tag=self._tag(), number=self._near(), held=self._unsigned(64), count=self._rng.randrange(65))

    def _sorry(self) -> wire.Message:
        return wire.Sorry(tag=self._tag(), number=self._near())

    def _bye(self) -> wire.Message:
        return wire.Bye(tag=self._tag(), parents=tuple((self._stripe(), c) for c in self._contacts(6)))

    def _meet(self) -> wire.Message:
        return wire.Meet(tag=self._tag(), key=self._rng.choice(self.keys))

    def _introduce(self) -> wire.Message:
        return wire.Introduce(tag=self._tag(), contact=self._contact())

    def _tombstone(self) -> wire.Message:
        return wire.TombstoneMessage(tag=self._tag(), data=self._rng.randbytes(self._rng.randrange(300)))

    def _key_request(self) -> wire.Message:
        return wire.KeyRequest(tag=self._tag(), period=self._unsigned(32), ticket=self._rng.randbytes(109))

    def _key_grant(self) -> wire.Message:
        return wire.KeyGrant(tag=self._tag(), period=self._unsigned(32), wrapped=self._rng.randbytes(112))

    def _key_refusal(self) -> wire.Message:
        return wire.KeyRefusal(tag=self._tag(), period=self._unsigned(32), reason=self._rng.randrange(4))

    def _hosting(self) -> wire.Message:
        gives = self._rng.random() < 0.5
        return wire.Hosting(tag=self._tag(), places=self._unsigned(8), gives=gives, above=self._ancestors())

    def _lodge(self) -> wire.Message:
        return wire.Lodge(tag=self._tag(), since=self._near())

    def _lodged(self) -> wire.Message:
        return wire.Lodged(tag=self._tag())

    def _unlodge(self) -> wire.Message:
        return wire.Unlodge(tag=self._tag())

    def _ping(self) -> wire.Message:
        return wire.Ping(sent_us=self._signed())

    def _pong(self) -> wire.Message:
        return wire.Pong(sent_us=self._signed(), wall_us=self._signed())

    def _hello(self) -> wire.Message:
        rng = self._rng
        return wire.Hello(
            version=self._unsigned(8), key=rng.choice(self.keys), proof=bytes(64), download_only=False,
            observed=self._address(),
        )  # fmt: skip

    def _welcome(self) -> wire.Message:
        return wire.Welcome(
            version=wire.VERSION, key=self._rng.choice(self.keys), download_only=True, observed=self._address()
        )
