"""All ways by which this gateway finds peers, as its settings say: trackers, the DHT, this network, memory."""

import asyncio
import logging
import random
from collections.abc import Sequence
from ipaddress import ip_address

from gateway.settings import Settings
from swarm.discovery.announces import Counts
from swarm.discovery.dht import Dht, DhtSettings
from swarm.discovery.finder import Absent, Finder, Progress, Sought
from swarm.discovery.lan import Lan
from swarm.discovery.memory import Memory
from swarm.discovery.remembered import Remembered
from swarm.discovery.seeker import Seeker
from swarm.discovery.tracker_client import Ground, TrackerClient
from swarm.discovery.trackers import Trackers, TrackerState
from swarm.prefixes import Reach, reach
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)


class Finders:
    """They are opened and closed together. ``trackers`` is one of them, if any are asked."""

    def __init__(self, finders: Sequence[Finder], trackers: Trackers | None) -> None:
        self._finders = finders
        self._trackers = trackers
        self._sought: set[StreamId] = set()

    def open(self, sought: Sought) -> None:
        """Seek a stream's peers by all of them."""
        self._sought.add(sought.stream)
        for finder in self._finders:
            finder.open(sought)

    def close(self, stream: StreamId) -> None:
        """Seek them no more."""
        self._sought.discard(stream)
        for finder in self._finders:
            finder.close(stream)

    async def stop(self) -> None:
        """Close all, and wait until it is done; one that cannot be closed keeps none of the others."""
        stopped = await asyncio.gather(*(finder.stop() for finder in self._finders), return_exceptions=True)
        for fault in stopped:
            if isinstance(fault, BaseException):
                logger.error("a way of finding peers has not been closed", exc_info=fault)

    def progress(self, stream: StreamId) -> list[Progress]:
        """How each of them goes with a stream; nothing while it is not sought."""
        found = [finder.progress(stream) for finder in self._finders] if stream in self._sought else []
        return [progress for progress in found if progress is not None]

    def tracker_states(self, stream: StreamId) -> list[TrackerState]:
        """How it goes with each of a stream's trackers."""
        return self._trackers.states(stream) if self._trackers is not None else []

    async def count(self, stream: StreamId) -> Counts | None:
        """How many watch, as far as trackers know."""
        return await self._trackers.count(stream) if self._trackers is not None else None


def open_finders(settings: Settings, seeker: Seeker, bound: Address, hosts: Sequence[str]) -> Finders:
    """The ways that the settings allow. ``bound`` is the swarm's socket, ``hosts`` this machine's addresses."""
    if settings.only_peers:
        return Finders([Absent(name, "off: only_peers is set") for name in ("trackers", "dht", "lan", "memory")], None)
    ground, port = ground_of(bound), seeker.addresses[0].port
    luck, clock = random.SystemRandom(), asyncio.get_running_loop().time
    client = TrackerClient(luck, clock, ground, settings.tracker_proxy)
    trackers = Trackers(client, seeker, defaults=settings.tracker_tiers, port=port, rng=luck, clock=clock)
    finders: list[Finder] = [trackers, _dht(settings, seeker, bound)]
    if settings.lan:
        is_local = ground.reach is Reach.MACHINE
        finders.append(Lan(seeker, hosts=hosts, port=bound.port, is_local=is_local, rng=luck, clock=clock))
    else:
        finders.append(Absent("lan", "off: lan = false"))
    if settings.remember_peers:
        finders.append(Memory(seeker, Remembered(settings.data_dir / "peers.json")))
    else:
        finders.append(Absent("memory", "off: remember_peers = false"))
    return Finders(finders, trackers)


def ground_of(bound: Address) -> Ground:
    """What a socket bound to this address can be told to others for."""
    versions = frozenset({4, 6}) if bound.host == "::" else frozenset({6 if ":" in bound.host else 4})
    return Ground(versions, Reach.MACHINE if reach(bound) is Reach.MACHINE else Reach.WORLD)


def _dht(settings: Settings, seeker: Seeker, bound: Address) -> Finder:
    is_local = ground_of(bound).reach is Reach.MACHINE
    bootstrap = tuple(node for node in settings.dht_bootstrap if not is_local or _is_near(node))
    if not settings.dht:
        return Absent("dht", "off: dht = false")
    if settings.tracker_proxy:
        return Absent("dht", "off: it cannot go through tracker_proxy")
    if is_local and not bootstrap:
        return Absent("dht", "off: the swarm's socket is reached from this machine only")
    return Dht(
        seeker,
        DhtSettings(
            hosts=("0.0.0.0", "::") if bound.host == "::" else (bound.host,),  # noqa: S104 - as the swarm's own socket
            port=settings.dht_port,
            bootstrap=bootstrap,
            table=settings.data_dir / "dht-nodes",
        ),
        port=seeker.addresses[0].port,
        is_local=is_local,
        clock=asyncio.get_running_loop().time,
    )


def _is_near(node: str) -> bool:
    """Whether a node of the DHT, as host:port, is on this machine; no name is looked up to find out."""
    try:
        return ip_address(node.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:
        return False
