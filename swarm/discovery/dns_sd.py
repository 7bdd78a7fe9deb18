"""Gateways of this network by DNS-SD over multicast DNS (RFC 6762, RFC 6763), by python-zeroconf.

Each gateway is one service of a name made by chance, with the port of its swarm's socket and, in TXT strings, the tags
of its streams. A tag is made of the stream's key for this purpose alone: who only listens here cannot look the stream
up anywhere, and who has the link knows the tag.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from zeroconf import Error, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from swarm.units import Address, StreamId

logger = logging.getLogger(__name__)

SERVICE: Final = "_seedcast._udp.local."
TAG_BYTES: Final = 8
TAGS_A_STRING: Final = 14
"""A string of TXT has 255 bytes."""
STRINGS_MAX: Final = 4
SERVICES_MAX: Final = 128
ADDRESSES_MAX: Final = 8
LOOK_UPS_MAX: Final = 8
LOOK_UP_MS: Final = 2000

Hear = Callable[[frozenset[str], tuple[Address, ...]], None]
"""Takes the tags and the addresses of a gateway, each time that it says something new."""


def stream_tag(stream: StreamId) -> str:
    """How a stream is called in this network."""
    return hashlib.blake2b(stream, digest_size=TAG_BYTES, person=b"seedcast lan").hexdigest()


class DnsSd:
    """This gateway among those of its network, from ``start`` to ``stop``."""

    def __init__(self, name: str, port: int, hear: Hear, *, hosts: Sequence[str] = ()) -> None:
        """``hosts`` are the addresses of the interfaces to use; all when empty. ``name`` is luck."""
        self._name = f"{name}.{SERVICE}"
        self._port = port
        self._hear = hear
        self._hosts = hosts
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._info: AsyncServiceInfo | None = None
        self._heard: dict[str, tuple[frozenset[str], tuple[Address, ...]]] = {}
        self._looking: set[asyncio.Task[None]] = set()

    @property
    def gateways(self) -> int:
        """Others that are there."""
        return len(self._heard)

    async def start(self) -> None:
        """Listen. Raises OSError where multicast cannot be had."""
        self._zeroconf = AsyncZeroconf(interfaces=list(self._hosts)) if self._hosts else AsyncZeroconf()
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._changed])

    async def tell(self, tags: Collection[str], hosts: Sequence[str]) -> None:
        """Say which streams are here, at these addresses of this machine; nothing while there are none."""
        if self._zeroconf is None:
            return
        info = _describe(self._name, self._port, sorted(tags), hosts) if tags and hosts else None
        before, self._info = self._info, info
        if info is not None and before is not None and info.text == before.text:
            return
        with suppress(Error):
            if info is not None and before is not None:
                await (await self._zeroconf.async_update_service(info))
            elif info is not None:
                # Nobody else has a name of so much luck: it need not be asked for first.
                await (await self._zeroconf.async_register_service(info, cooperating_responders=True))
            elif before is not None:
                await (await self._zeroconf.async_unregister_service(before))

    async def stop(self) -> None:
        """Take back what was said, and listen no more."""
        for looking in self._looking:
            looking.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
        self._zeroconf = None

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            self._heard.pop(name, None)
        elif name.lower() != self._name and len(self._looking) < LOOK_UPS_MAX:
            looking = asyncio.create_task(self._look_up(zeroconf, name))
            self._looking.add(looking)
            looking.add_done_callback(self._looking.discard)

    async def _look_up(self, zeroconf: Zeroconf, name: str) -> None:
        info = AsyncServiceInfo(SERVICE, name)
        if not await info.async_request(zeroconf, LOOK_UP_MS) or not info.port:
            return
        tags = frozenset(_tags(info))
        hosts = info.parsed_scoped_addresses()[:ADDRESSES_MAX]
        addresses = tuple(Address(host, info.port) for host in hosts)
        if tags and self._heard.get(name) != (tags, addresses) and (name in self._heard or self._has_room()):
            self._heard[name] = tags, addresses
            self._hear(tags, addresses)

    def _has_room(self) -> bool:
        return len(self._heard) < SERVICES_MAX

    def again(self) -> None:
        """Say once more what is known: a stream that has just been opened may be among it."""
        for tags, addresses in self._heard.values():
            self._hear(tags, addresses)


def _describe(name: str, port: int, tags: Sequence[str], hosts: Sequence[str]) -> AsyncServiceInfo:
    strings = [tags[at : at + TAGS_A_STRING] for at in range(0, len(tags), TAGS_A_STRING)][:STRINGS_MAX]
    properties = {f"t{number}": ",".join(string) for number, string in enumerate(strings)}
    return AsyncServiceInfo(
        SERVICE,
        name,
        port=port,
        properties=properties,
        server=f"{name.partition('.')[0]}.local.",
        parsed_addresses=list(hosts),
    )


def _tags(info: AsyncServiceInfo) -> list[str]:
    strings = [info.decoded_properties.get(f"t{number}") or "" for number in range(STRINGS_MAX)]
    return [tag for string in strings for tag in string.split(",") if len(tag) == 2 * TAG_BYTES]
