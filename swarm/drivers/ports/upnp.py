"""UPnP's Internet Gateway Device by miniupnpc, a library in C whose calls wait: each is made in a thread.

It is an extra (``pip install 'seedcast[upnp]'``), because it has no wheels for some systems.
"""

import asyncio
from typing import Any

from swarm.drivers.ports.messages import Mapping, Refused
from swarm.units import Address

try:
    import miniupnpc
except ImportError:
    miniupnpc = None

DISCOVER_MS = 1500
NOBODY = ("No UPnP device discovered", "Success")
"""What the library raises when nobody answers."""


def is_installed() -> bool:
    return miniupnpc is not None


class UpnpRouter:
    """The router that answered last."""

    def __init__(self) -> None:
        self._device: Any = None

    async def map(self, port: int, external_port: int, lifetime_s: int) -> Mapping | None:
        """Map a UDP port; None when no router answers. Raises Refused."""
        return await asyncio.to_thread(self._map, port, external_port, lifetime_s)

    async def unmap(self, external_port: int) -> None:
        """Take the mapping back."""
        if self._device is not None:
            await asyncio.to_thread(self._unmap, external_port)

    def _map(self, port: int, external_port: int, lifetime_s: int) -> Mapping | None:
        if miniupnpc is None:
            return None
        try:
            device = miniupnpc.UPnP()
            device.discoverdelay = DISCOVER_MS
            if not device.discover():
                return None
            device.selectigd()
            self._device = device
            device.addportmapping(external_port, "UDP", device.lanaddr, port, "Seedcast", "", lifetime_s)
            return Mapping(Address(device.externalipaddress(), external_port), lifetime_s)
        except Exception as error:  # the library raises bare ones
            if str(error) in NOBODY:
                return None
            raise Refused(f"the router refuses by UPnP: {error}") from error

    def _unmap(self, external_port: int) -> None:
        try:
            self._device.deleteportmapping(external_port, "UDP", "")
        except Exception as error:  # the library raises bare ones
            raise Refused(f"the router keeps the port: {error}") from error
