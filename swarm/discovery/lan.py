"""Finding a stream's peers in this network, by DNS-SD and BEP 14 beside each other: one or the other gets through.

Nothing is said before the first stream is opened. Only addresses of this network are taken; who is there proves itself
in the handshake.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from swarm.discovery.dns_sd import DnsSd, stream_tag
from swarm.discovery.finder import Progress, Sought
from swarm.discovery.lan_search import TARGETS_MAX, Search
from swarm.discovery.multicast import Multicast, peers_of
from swarm.discovery.seeker import Seeker
from swarm.discovery.vetting import vet
from swarm.link import stream_target
from swarm.prefixes import Reach, crowd, reach
from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

STREAMS_MAX: Final = 56
SEARCH_EVERY_S: Final = 300.0
SEARCH_LEAST_S: Final = 60.0
"""BEP 14: every five minutes, and a stream not more than once a minute."""
LOOK_EVERY_S: Final = 1.0
HOSTS_MAX: Final = 8
FOUND_MAX: Final = 64
NAME_BYTES: Final = 8


@dataclass(slots=True)
class _Sought:
    tag: str
    target: bytes
    said_s: float = float("-inf")
    found: set[Address] = field(default_factory=set)


class Lan:
    """All streams' searches in this network. ``port`` is the swarm's UDP port."""

    def __init__(
        self,
        seeker: Seeker,
        *,
        hosts: Sequence[str],
        port: int,
        is_local: bool,
        rng: Random,
        clock: Callable[[], float],
    ) -> None:
        """``hosts`` are this machine's addresses in the network that is searched. ``is_local``: the swarm's socket is
        reached from this machine only, and so is what is said."""
        self._seeker = seeker
        self._hosts = tuple(dict.fromkeys(hosts))[:HOSTS_MAX]
        self._crowds = {crowd(Address(host, port)) for host in self._hosts}
        self._port = port
        self._is_local = is_local
        self._clock = clock
        self._name = rng.randbytes(NAME_BYTES).hex()
        self._sought: dict[StreamId, _Sought] = {}
        self._changed = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._members: list[Multicast] = []
        self._dns_sd: DnsSd | None = None
        self.trouble = ""
        """Why this network cannot be searched, for people; else empty."""

    @property
    def gateways(self) -> int:
        """Others in this network, as far as DNS-SD tells."""
        return self._dns_sd.gateways if self._dns_sd is not None else 0

    def open(self, sought: Sought) -> None:
        """Seek a stream's peers from now on, and tell that one is here."""
        stream = sought.stream
        if stream in self._sought or len(self._sought) >= STREAMS_MAX:
            return
        self._sought[stream] = _Sought(stream_tag(stream), stream_target(stream))
        self._changed.set()
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="lan")

    def close(self, stream: StreamId) -> None:
        """Seek them no more."""
        if self._sought.pop(stream, None) is not None:
            self._changed.set()

    async def stop(self) -> None:
        """Say good-bye, and listen no more."""
        self._sought.clear()
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
        for member in self._members:
            await member.close()
        if self._dns_sd is not None:
            await self._dns_sd.stop()

    def progress(self, stream: StreamId) -> Progress | None:
        """How it goes: who else of this network has the stream."""
        sought = self._sought.get(stream)
        if sought is None:
            return None
        others = f"{self.gateways} other gateway{'' if self.gateways == 1 else 's'} in this network"
        return Progress(finder="lan", said=self.trouble or others, peers=len(sought.found))

    async def _work(self) -> None:
        await self._join()
        while True:
            self._changed.clear()
            self._search()
            if self._dns_sd is not None:
                self._dns_sd.again()
                await self._dns_sd.tell([sought.tag for sought in self._sought.values()], self._hosts)
            with suppress(TimeoutError):
                async with asyncio.timeout(SEARCH_LEAST_S):
                    await self._changed.wait()

    async def _join(self) -> None:
        troubles = []
        for host in self._hosts:
            try:
                self._members.append(await Multicast.join(host, self._heard_search))
            except OSError as error:
                troubles.append(f"no multicast at {host} ({error.strerror or error})")
        dns_sd = DnsSd(self._name, self._port, self._heard_tags, hosts=self._hosts)
        try:
            await dns_sd.start()
        except OSError as error:
            troubles.append(f"no multicast DNS ({error.strerror or error})")
        else:
            self._dns_sd = dns_sd
        self.trouble = "; ".join(troubles)
        if troubles:
            logger.info("This network is searched in part only: %s", self.trouble)

    def _search(self) -> None:
        now = self._clock()
        due = sorted(
            (sought for sought in self._sought.values() if now - sought.said_s >= SEARCH_EVERY_S),
            key=lambda sought: sought.said_s,
        )[:TARGETS_MAX]
        if not due:
            return
        for sought in due:
            sought.said_s = now
        search = Search(port=self._port, targets=tuple(sought.target for sought in due), cookie=self._name)
        for member in self._members:
            member.say(search)

    def _heard_search(self, search: Search, host: str) -> None:
        if search.cookie == self._name:
            return
        for stream, sought in self._sought.items():
            if sought.target in search.targets:
                self._hand_on(stream, peers_of(search, host))
                # It cannot know of this node yet: tell it, but not each time that it asks.
                if self._clock() - sought.said_s >= SEARCH_LEAST_S:
                    sought.said_s = float("-inf")
                    self._changed.set()

    def _heard_tags(self, tags: frozenset[str], addresses: tuple[Address, ...]) -> None:
        for stream, sought in self._sought.items():
            if sought.tag in tags:
                self._hand_on(stream, addresses)

    def _hand_on(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        distance = Reach.MACHINE if self._is_local else Reach.NETWORK
        found, _ = vet(addresses, distance, self._seeker.addresses)
        near = [address for address in found if self._is_near(address)]
        if near:
            known = self._sought[stream].found
            known.update(near[: FOUND_MAX - len(known)])
            self._seeker.found(stream, near)

    def _is_near(self, address: Address) -> bool:
        """Whether it is of this network: private, or of the prefix of one of this machine's addresses."""
        if self._is_local:
            return reach(address) is Reach.MACHINE
        return reach(address) is not Reach.WORLD or crowd(address) in self._crowds
