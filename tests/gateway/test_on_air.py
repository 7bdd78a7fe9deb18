"""What a broadcast makes reaches the swarm and the own window, coded once an epoch."""

from dataclasses import replace

from gateway.channels import Channels
from gateway.ingest.slicer import SlicedPiece
from gateway.media.payload import pack
from gateway.on_air import OnAir, Studio
from swarm.drivers.memory import MemoryNet
from swarm.events import ManifestReady
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, slices, stream
from tests.gateway.memory_swarm import MemorySwarm

OWNER = Identity(b"owner".ljust(32, b"."))


class Station:
    """A broadcaster without peers, whose bitrate the test sets."""

    def __init__(self) -> None:
        self.net = MemoryNet("on air")
        self.swarm = MemorySwarm(self.net, "source")
        self.bitrate_bps = 2_500_000.0
        channels = Channels(self.swarm, window_s=24, idle_leave_s=30, clock=lambda: self.net.now)
        self.on_air: OnAir = Studio(self.swarm, channels).open(OWNER, "News", lambda: self.bitrate_bps)

    @property
    def announced(self) -> list[RenditionInfo]:
        """The rendition of each manifest so far."""
        self.net.run_until(self.net.now)
        return [item.manifest.renditions[0] for _, item in self.swarm.host.news if isinstance(item, ManifestReady)]


def first_piece() -> SlicedPiece:
    payload = pack(slices(stream())[0])
    return SlicedPiece(number=1, epoch=7, key=True, capture_us=CAPTURE_US, duration_us=PIECE_US, payloads=(payload,))


def test_the_coding_follows_the_bitrate_and_stays_for_an_epoch() -> None:
    station = Station()
    (rendition,) = stream().renditions
    longer = replace(rendition, media=replace(rendition.media, segment_target_s=4.0))
    station.on_air.description(7, (rendition,))
    station.bitrate_bps = 300_000.0
    station.on_air.description(7, (longer,))
    station.on_air.description(8, (rendition,))
    assert [(r.k, r.n, r.bitrate_bps) for r in station.announced] == [
        (12, 16, 2_500_000),
        (12, 16, 2_500_000),
        (2, 4, 300_000),
    ]
    assert station.announced[1].media != station.announced[0].media


def test_a_piece_is_in_the_swarm_and_in_the_own_window_at_once() -> None:
    station = Station()
    station.on_air.description(7, stream().renditions)
    assert not station.on_air.started.is_set()
    station.on_air.piece(first_piece())
    assert station.on_air.started.is_set()
    assert station.on_air.channel.window.is_open
    status = station.swarm.status(station.on_air.channel.stream, 0)
    assert status is not None
    assert status.payload_bytes == len(first_piece().payloads[0])


def test_beginning_and_end_are_told_once_each() -> None:
    told: list[str] = []
    net = MemoryNet("told")
    swarm = MemorySwarm(net, "source")
    channels = Channels(swarm, window_s=24, idle_leave_s=30, clock=lambda: net.now)
    on_air = Studio(swarm, channels, lambda event, _: told.append(event)).open(OWNER, "News", lambda: 500_000)
    on_air.description(7, stream().renditions)
    assert told == []
    on_air.piece(first_piece())
    on_air.piece(replace(first_piece(), number=2))
    assert told == ["started"]
    on_air.ended()
    on_air.ended()
    assert told == ["started", "ended"]
