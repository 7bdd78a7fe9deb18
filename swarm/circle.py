"""One swarm's common ground: the state that its receiving side, its sending side and its housekeeping share."""

from collections.abc import Iterable
from random import Random

from swarm.adverts import short
from swarm.clock import DEPTH_UNKNOWN
from swarm.events import ManifestReady, Output, PieceReady, Send, Urgency
from swarm.household import Household
from swarm.identity import Identity
from swarm.keyring import Keyring
from swarm.manifest import Manifest, RenditionInfo
from swarm.merkle import NODE_BYTES, depth
from swarm.messages import Contact, Message
from swarm.naming import contact_for
from swarm.peers import Mate
from swarm.pieces import HEADER_BYTES, PieceHeader, swarm_tag
from swarm.reading import Reader
from swarm.settings import NodeSettings
from swarm.standing import Standing
from swarm.strain import Strain
from swarm.traversal import Vantage
from swarm.units import PeerId, StreamId
from swarm.uplink import Uplink
from swarm.window import Window
from swarm.wire import encode

PACKET_OVERHEAD = 1.04
"""QUIC, UDP and IP headers as a factor on what is sent in packets of about 1,200 bytes."""


BEAT_LEAST_S = 0.2


class Circle:
    """The members of one swarm that this node is connected to, and what it holds of the stream."""

    def __init__(
        self,
        *,
        stream: StreamId,
        rendition: int,
        me: PeerId,
        owner: Identity | None,
        settings: NodeSettings,
        uplink: Uplink,
        vantage: Vantage,
        strain: Strain,
        rng: Random,
        wall_offset_s: float,
        reader: Reader,
        keyring: Keyring,
        out: list[Output],
    ) -> None:
        self.stream = stream
        self.rendition = rendition
        self.tag = swarm_tag(stream, rendition)
        self.me = me
        self.owner = owner
        self.settings = settings
        self.uplink = uplink
        self.vantage = vantage
        self.strain = strain
        self.rng = rng
        self.reader = reader
        self.keyring = keyring
        self.window = Window(stream, self.tag, reader)
        self.mates: dict[PeerId, Mate] = {}
        self.standing = Standing()
        self.household = Household()
        self.manifest: Manifest | None = None
        self.manifest_data = b""
        self.roots: frozenset[bytes] = frozenset()
        """The sources, as chains of ancestors name them; none before the manifest is known."""

        self.k = 0
        self.n = 0
        self.piece_s = 0.2
        self.bitrate_bps = 0.0
        self.slots = 0
        self.clock_offset_us = 0
        self.clock_depth = 0 if owner else DEPTH_UNKNOWN
        self._wall_offset_s = wall_offset_s
        self._out = out

    @property
    def is_source(self) -> bool:
        return self.owner is not None

    @property
    def manifest_version(self) -> tuple[int, int]:
        return (self.manifest.epoch, self.manifest.revision) if self.manifest else (0, 0)

    @property
    def sources(self) -> tuple[PeerId, ...]:
        """The peers that the stream's key names as its sources; none before the manifest is known."""
        return self.manifest.sources if self.manifest else ()

    @property
    def stripe_bps(self) -> float:
        """What one stripe costs one uplink, headers and packets included."""
        if not self.k:
            return 0.0
        block = self.bitrate_bps * self.piece_s / 8 / self.k
        headers = HEADER_BYTES + depth(self.n) * NODE_BYTES + 6
        return (block + headers) * 8 * PACKET_OVERHEAD / self.piece_s

    def housemates(self) -> list[Mate]:
        """The mates on this machine's own network."""
        return [mate for mate in self.mates.values() if self.is_housemate(mate)] if self.vantage.is_located else []

    def is_housemate(self, mate: Mate) -> bool:
        """Whether a mate is on this machine's own network, and as near as that."""
        return self.vantage.houses(mate.peer.address, mate.peer.rtt_s)

    @property
    def gives(self) -> bool:
        """Whether this node may relay to others."""
        return not self.settings.download_only and not self.uplink.paused

    def wall_us(self, now: float) -> int:
        """This machine's wall clock, microseconds since 1970."""
        return int((now + self._wall_offset_s) * 1e6)

    def delay_s(self, header: PieceHeader, now: float) -> float:
        """How long after the end of its capture a piece is at this moment, by the source's clock."""
        return (self.wall_us(now) + self.clock_offset_us - header.capture_us - header.duration_us) / 1e6

    @property
    def beat_s(self) -> float:
        """How often something new ought to come: once a piece, but no judgement is faster than for pieces of 0.2 s."""
        return max(self.piece_s, BEAT_LEAST_S)

    def adopt(self, manifest: Manifest, data: bytes) -> set[PeerId]:
        """Take over a newer manifest. The sources are those that it names; given back are those that were, and no more
        are."""
        former = set(self.sources) - set(manifest.sources)
        self.manifest, self.manifest_data = manifest, data
        self.roots = frozenset(short(key) for key in manifest.sources)
        for key, mate in self.mates.items():
            mate.is_source = key in manifest.sources
        return former

    def describe(self, rendition: RenditionInfo) -> bool:
        """Take over the coding of the rendition on air; True when stripes have to be laid anew."""
        changed = (self.k, self.n) != (rendition.k, rendition.n)
        self.k, self.n = rendition.k, rendition.n
        self.piece_s = rendition.piece_us / 1e6
        self.bitrate_bps = float(rendition.bitrate_bps)
        return changed

    def weigh(self, header: PieceHeader) -> None:
        """Let the measured size of a piece correct the announced bitrate."""
        rate = header.length * 8e6 / header.duration_us
        self.bitrate_bps += 0.05 * (rate - self.bitrate_bps)

    def tell_manifest(self) -> None:
        """Give out the manifest, opened if its key is here."""
        if self.manifest is not None:
            opened = self.keyring.manifest(self.manifest)
            self.order(ManifestReady(stream=self.stream, manifest=opened or self.manifest, locked=opened is None))

    def ready(self, header: PieceHeader, header_bytes: bytes, payload: bytes) -> PieceReady:
        """A whole piece as the application gets it: of a sealed stream opened, if its key is here."""
        sealed = payload if self.manifest is not None and self.manifest.lock is not None else b""
        return PieceReady(
            stream=self.stream,
            rendition=self.rendition,
            epoch=header.epoch,
            number=header.number,
            key=header.key,
            capture_us=header.capture_us,
            duration_us=header.duration_us,
            payload=self.keyring.piece(header, sealed) or b"" if sealed else payload,
            header=header_bytes,
            sealed=sealed,
        )

    def say(self, mate: Mate, message: Message) -> None:
        """Send a control message."""
        self.pass_on(mate, encode(message), Urgency.CONTROL, None)

    def pass_on(self, mate: Mate, data: bytes, urgency: Urgency, expires_s: float | None) -> None:
        """Send bytes that are a message already."""
        mate.bytes_out += len(data)
        self._out.append(Send(mate.peer.link, data, urgency, expires_s))

    def order(self, output: Output) -> None:
        self._out.append(output)

    def contacts(self, keys: Iterable[PeerId], to: Mate) -> tuple[Contact, ...]:
        """Mates as they are named to another one."""
        found = (contact_for(self.mates[key], to) for key in keys if key in self.mates)
        return tuple(contact for contact in found if contact is not None)
