"""Keeps one UDP port open in the home router for as long as it is wanted: asks, renews, and takes it back.

PCP is tried first, then NAT-PMP, then UPnP; what worked is tried first when it is renewed. A router that does none of
them is asked again from time to time, as it may have been restarted.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from os import urandom

from swarm.drivers.ports import messages, router
from swarm.drivers.ports.messages import Mapping, Refused
from swarm.drivers.ports.upnp import UpnpRouter
from swarm.units import Address

LIFETIME_S = 1800
"""Asked for; after a crash the router forgets it by itself."""

RENEW_SHARE = 0.5
RENEW_S_LEAST = 20.0
AGAIN_S = 600.0
GOODBYE_S_MAX = 1.0

logger = logging.getLogger(__name__)

OnMapped = Callable[[Address | None], None]


class PortMapper:
    """One port of this machine; ``on_mapped`` hears the outer address after each question, or None."""

    def __init__(self, port: int, on_mapped: OnMapped, *, server_port: int = messages.SERVER_PORT) -> None:
        self._port = port
        self._on_mapped = on_mapped
        self._server_port = server_port
        self._nonce = urandom(messages.NONCE_BYTES)
        self._upnp = UpnpRouter()
        self._own: str | None = None
        self._mapping: Mapping | None = None
        self._way = ""
        self._task: asyncio.Task[None] | None = None

    def start(self, own: str) -> None:
        """Begin, or begin anew, for this machine's IPv4 host ``own``."""
        if self._task is not None:
            self._task.cancel()
        if own != self._own:
            self._own, self._way = own, ""
        self._task = asyncio.create_task(self._keep(own), name="port mapping")

    async def stop(self) -> None:
        """Take the port back, if the router answers in time. May be called without a start."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        if self._mapping is not None and self._own is not None:
            with suppress(TimeoutError, OSError, Refused):
                async with asyncio.timeout(GOODBYE_S_MAX):
                    await self._give_back(self._own, self._mapping)
        self._mapping = None

    async def _keep(self, own: str) -> None:
        while True:
            before, self._mapping = self._mapping, await self.ask(own)
            if self._mapping is not None and (before is None or before.address != self._mapping.address):
                logger.info("the router keeps %s open (%s)", self._mapping.address, self._way)
            self._on_mapped(self._mapping.address if self._mapping is not None else None)
            wait_s = AGAIN_S if self._mapping is None else max(RENEW_S_LEAST, RENEW_SHARE * self._mapping.lifetime_s)
            await asyncio.sleep(wait_s)

    async def ask(self, own: str) -> Mapping | None:
        """Ask for the port, or for more time, by what worked last or by everything; None when all fail."""
        ways = {"PCP": self._by_pcp, "NAT-PMP": self._by_pmp, "UPnP": self._by_upnp}
        for name in sorted(ways, key=lambda name: name != self._way):
            try:
                mapping = await ways[name](own)
            except (Refused, OSError) as error:
                logger.debug("no port by %s: %s", name, error)
                continue
            if mapping is not None and mapping.address.port:
                self._way = name
                return mapping
        return None

    @property
    def _wanted_port(self) -> int:
        return self._mapping.address.port if self._mapping is not None else self._port

    async def _by_pcp(self, own: str, lifetime_s: int = LIFETIME_S) -> Mapping | None:
        if (host := router.default_router()) is None:
            return None
        question = messages.pcp_request(self._nonce, own, self._port, self._wanted_port, lifetime_s)
        return await router.ask(
            host, self._server_port, question, lambda data: messages.read_pcp(data, self._nonce, self._port)
        )

    async def _by_pmp(self, own: str, lifetime_s: int = LIFETIME_S) -> Mapping | None:
        if (host := router.default_router()) is None:
            return None
        outer = await router.ask(host, self._server_port, messages.pmp_address_request(), messages.read_pmp_address)
        if outer is None:
            return None
        question = messages.pmp_request(self._port, self._wanted_port if lifetime_s else 0, lifetime_s)
        answer = await router.ask(host, self._server_port, question, lambda data: messages.read_pmp(data, self._port))
        return Mapping(Address(outer, answer[0]), answer[1]) if answer is not None else None

    async def _by_upnp(self, own: str) -> Mapping | None:
        return await self._upnp.map(self._port, self._wanted_port, LIFETIME_S)

    async def _give_back(self, own: str, mapping: Mapping) -> None:
        if self._way == "PCP":
            await self._by_pcp(own, 0)
        elif self._way == "NAT-PMP":
            await self._by_pmp(own, 0)
        else:
            await self._upnp.unmap(mapping.address.port)
