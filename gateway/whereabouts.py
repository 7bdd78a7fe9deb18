"""Where this node can be reached: the machine's own addresses, what its owner says, and a port that the router opens.

All of it may change while the node runs: a laptop goes from cable to Wi-Fi, a router is restarted.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

from gateway.diagnosis import Port
from swarm.drivers.ports import PortMapper, upnp_is_installed
from swarm.prefixes import Reach, reach
from swarm.units import Address

ANYWHERE = {"0.0.0.0": ("192.0.2.1",), "::": ("2001:db8::1", "192.0.2.1")}  # noqa: S104 - compared with, not bound to
"""A socket bound to all addresses, and documentation addresses (RFC 5737, RFC 3849) to ask the routes about."""

LOOK_AROUND_S = 0.5
"""How often the machine's addresses are looked at: two questions to the routing table, no packet."""

OnChange = Callable[[bool], None]
"""``own`` or ``forwarded`` are others now; True when the machine is in another network."""

logger = logging.getLogger(__name__)


class Whereabouts:
    """Of a node that is bound to an address. ``advertised`` are the addresses that its owner has set."""

    def __init__(
        self, bound: Address, advertised: tuple[Address, ...], on_change: OnChange, *, maps_port: bool
    ) -> None:
        self._bound = bound
        self._advertised = advertised
        self._on_change = on_change
        self._mapped: tuple[Address, ...] = ()
        self.own = reachable_addresses(bound)
        wanted = maps_port and not advertised and bound.host in ANYWHERE
        self._mapper = PortMapper(bound.port, self._map) if wanted else None
        self._mapping = False
        self.port = Port.UNASKED
        self._task: asyncio.Task[None] | None = None

    @property
    def forwarded(self) -> tuple[Address, ...]:
        """Where a router lets everybody in to this node."""
        return self._advertised or self._mapped

    @property
    def for_links(self) -> tuple[Address, ...]:
        """What links name: what the owner says, else IPv6, the router's open port, and the machine's own."""
        if self._advertised:
            return self._advertised
        v6 = tuple(address for address in self.own if address.is_v6)
        return v6 + self._mapped + tuple(address for address in self.own if not address.is_v6)

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="address watch")

    async def stop(self) -> None:
        """Give the router's port back."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._mapper is not None:
            await self._mapper.stop()

    def open_port(self) -> None:
        """The node is wanted by others from now on: ask the router for a port. A second time changes nothing."""
        if not self._mapping:
            self._mapping = True
            self._ask_router()

    def _ask_router(self) -> None:
        """Only who has no global IPv4 address needs a port in a router."""
        private = next((address for address in self.own if reach(address) is Reach.NETWORK and not address.is_v6), None)
        if self._mapper is not None and self._mapping and private is not None:
            self.port = Port.ASKED
            self._mapper.start(private.host)

    def _map(self, address: Address | None) -> None:
        """The router keeps this address open. Behind a second NAT that helps nobody outside."""
        if address is not None and reach(address) is not Reach.WORLD:
            logger.info("the router's own address %s is a private one: there is a second NAT before it", address.host)
            address, self.port = None, Port.SECOND_NAT
        else:
            self.port = Port.OPEN if address is not None else Port.REFUSED
        mapped = (address,) if address is not None else ()
        if mapped != self._mapped:
            self._mapped = mapped
            self._on_change(False)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AROUND_S)
            before, self.own = self.own, reachable_addresses(self._bound)
            if self.own != before:
                logger.info("this machine is at %s now", ", ".join(map(str, self.own)))
                self._mapped = ()
                self._on_change(True)
                self._ask_router()


def asks_by_upnp() -> bool:
    """Whether routers that know nothing else can be asked for a port."""
    return upnp_is_installed()


def reachable_addresses(bound: Address) -> tuple[Address, ...]:
    """The bound address, or those that this machine uses towards the rest of the world: IPv6 first."""
    targets = ANYWHERE.get(bound.host)
    if targets is None:
        return (bound,)
    hosts = [host for host in map(_host_towards, targets) if host is not None]
    return tuple(Address(host, bound.port) for host in hosts or ["127.0.0.1"])


def _host_towards(target: str) -> str | None:
    """The address from which packets to ``target`` would leave; None when there is no way there."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))  # sends nothing: only asks which address the route would use
            return str(probe.getsockname()[0])
    except OSError:
        return None
