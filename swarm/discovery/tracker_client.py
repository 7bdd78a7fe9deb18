"""Asks one tracker, whatever it speaks, over each version of IP that the swarm's socket speaks."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from swarm.discovery.announces import Announce, Answer, Counts
from swarm.discovery.http_client import fetch, new_client
from swarm.discovery.http_tracker import announce_path, read_answer, read_scrape, scrape_path
from swarm.discovery.udp_client import UdpClient
from swarm.discovery.vetting import check_tracker, version_of
from swarm.errors import TrackerError
from swarm.prefixes import Reach
from swarm.tracker_url import TrackerUrl
from swarm.units import Address

LOOK_UP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the swarm's socket stands: which versions of IP it speaks, and how far it reaches."""

    versions: frozenset[int]
    reach: Reach


class TrackerClient:
    """Asks trackers. Close it at the end."""

    def __init__(self, rng: Random, clock: Callable[[], float], ground: Ground, proxy: str = "") -> None:
        """``proxy``: the socks5:// URL through which all are asked. Then nothing else leaves this machine: no name is
        looked up here, and trackers over UDP are not asked."""
        self._ground = ground
        self._proxied = bool(proxy)
        self._http = new_client(proxy)
        self._udp = UdpClient(rng, clock)

    async def close(self) -> None:
        await self._http.aclose()

    async def announce(self, tracker: TrackerUrl, announce: Announce, *, trusted: bool) -> list[tuple[str, Answer]]:
        """One answer for each version of IP that worked, each with the tracker's address. Raises TrackerError when
        none did."""
        hosts = await self._hosts(tracker, trusted=trusted)
        asked = (self._announce_at(tracker, host, announce) for host in hosts)
        results = await asyncio.gather(*asked, return_exceptions=True)
        answers = [(host, result) for host, result in zip(hosts, results, strict=True) if isinstance(result, Answer)]
        faults = [result for result in results if isinstance(result, BaseException)]
        if unforeseen := [fault for fault in faults if not isinstance(fault, TrackerError)]:
            raise unforeseen[0]
        if not answers:
            raise faults[0]
        return answers

    async def scrape(self, tracker: TrackerUrl, target: bytes, *, trusted: bool) -> Counts | None:
        """How many a tracker knows; None where it cannot be asked that. Raises TrackerError."""
        host = (await self._hosts(tracker, trusted=trusted))[0]
        if tracker.scheme == "udp":
            return await self._udp.scrape(Address(host, tracker.port), target)
        path = scrape_path(tracker, target)
        return read_scrape(await fetch(self._http, tracker, host, path), target) if path is not None else None

    async def _announce_at(self, tracker: TrackerUrl, host: str, announce: Announce) -> Answer:
        if tracker.scheme == "udp":
            return await self._udp.announce(Address(host, tracker.port), announce, tracker.path)
        return read_answer(await fetch(self._http, tracker, host, announce_path(tracker, announce)))

    async def _hosts(self, tracker: TrackerUrl, *, trusted: bool) -> list[str]:
        """One address of the tracker for each version of IP, checked; its name where the proxy is to look it up.
        Raises TrackerError."""
        if self._proxied and tracker.scheme == "udp":
            raise TrackerError("it speaks UDP, which does not go through tracker_proxy")
        if self._proxied and tracker.ip is None:
            return [tracker.host]
        found = [str(tracker.ip)] if tracker.ip is not None else await _look_up(tracker)
        hosts = {version_of(host): host for host in reversed(found)}
        spoken = [host for version, host in hosts.items() if version in self._ground.versions]
        if not spoken:
            raise TrackerError("it has no address of the version of IP that the swarm's socket speaks")
        for host in spoken:
            check_tracker(tracker, host, trusted=trusted, own_reach=self._ground.reach)
        return spoken


async def _look_up(tracker: TrackerUrl) -> list[str]:
    """Numeric addresses of a name. Raises TrackerError."""
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await asyncio.get_running_loop().getaddrinfo(tracker.host, tracker.port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise TrackerError(f"its name was not found within {LOOK_UP_S:g} s") from error
    except (OSError, UnicodeError) as error:
        raise TrackerError("its name is not known") from error
    return [str(address[0]) for *_, address in found if "%" not in str(address[0])]
