"""The gateway's own tracker: for the streams that it knows, usable by ordinary BitTorrent clients.

It knows where peers say that they are, and nothing else: no client is let in or kept out by who it is, and what is told
here is checked by the peers' own handshake like any tracker's word.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from gateway.tracker.rates import Rates
from gateway.tracker.requests import read_announce, read_scrape
from gateway.tracker.roster import INTERVAL_S, MIN_INTERVAL_S, Roster
from swarm.discovery import bencode
from swarm.discovery.announces import pack_peers
from swarm.errors import TrackerError
from swarm.prefixes import reach
from swarm.units import Address

LOOK_EVERY_S: Final = 1.0
"""Which streams are known is looked up at most so often at the word of strangers."""

RETRY_MINUTES: Final = 1

KnownStreams = Callable[[], Mapping[bytes, Collection[Address]]]
"""Targets of the streams that the gateway knows, each with this node's own addresses where it is the source."""


@dataclass(slots=True)
class _Known:
    streams: Mapping[bytes, Collection[Address]]
    at_s: float


class TrackerDesk:
    """Answers announces and scrapes. ``is_open``: for any stream, also such as this gateway knows nothing of."""

    def __init__(self, known: KnownStreams, *, is_open: bool, rng: Random, clock: Callable[[], float]) -> None:
        self._look = known
        self._is_open = is_open
        self._clock = clock
        self._known = _Known({}, float("-inf"))
        self._rates = Rates()
        self.roster = Roster(rng)

    def announce(self, query: bytes, host: str) -> bytes:
        """The answer to a request from this numeric address, bencoded; refusals too (BEP 3, 23, 24, 31)."""
        try:
            return self._announce(query, Address(host, 0))
        except TrackerError as fault:
            return _refusal(str(fault))

    def scrape(self, query: bytes, host: str) -> bytes:
        """How many there are of each stream asked for, bencoded (BEP 48)."""
        now = self._clock()
        try:
            self._admit(Address(host, 0), now)
            targets = read_scrape(query)
        except TrackerError as fault:
            return _refusal(str(fault))
        files: dict[bytes, bencode.Value] = {}
        for target in targets:
            own = self._streams(target, now)
            if own is not None:
                sources, viewers = self.roster.count(target, now)
                found = sources + bool(own)
                files[target] = {b"complete": found, b"downloaded": found, b"incomplete": viewers}
        return bencode.encode({b"files": files})

    def _announce(self, query: bytes, asker: Address) -> bytes:
        now = self._clock()
        self._admit(asker, now)
        request = read_announce(query)
        own = self._streams(request.target, now)
        if own is None:
            raise TrackerError("this tracker does not know that stream")
        address = asker._replace(port=request.port)
        if request.stopped:
            self.roster.remove(request.target, address)
        else:
            self.roster.enter(request.target, address, is_source=request.is_source, now=now)
        told = self.roster.tell(request.target, address, 0 if request.stopped else request.wanted, now)
        mine = [here for here in own if reach(here) >= reach(asker)] if request.wanted else []
        version = 6 if ":" in asker.host else 4
        return bencode.encode(
            {
                b"interval": INTERVAL_S,
                b"min interval": MIN_INTERVAL_S,
                b"complete": told.sources + bool(own),
                b"incomplete": told.viewers,
                b"peers": pack_peers(mine, 4) + told.peers,
                b"peers6": pack_peers(mine, 6) + told.peers6,
                b"external ip": pack_peers((asker,), version)[:-2],
            }
        )

    def _admit(self, asker: Address, now: float) -> None:
        if not self._rates.admits(asker, now):
            raise TrackerError(_TOO_OFTEN)

    def _streams(self, target: bytes, now: float) -> Collection[Address] | None:
        """This node's own addresses for a stream that is served here, else None."""
        if now - self._known.at_s >= LOOK_EVERY_S:
            self._known = _Known(self._look(), now)
        return self._known.streams.get(target, () if self._is_open else None)


_TOO_OFTEN: Final = "asked too often from this address"


def _refusal(reason: str) -> bytes:
    answer: dict[bytes, bencode.Value] = {b"failure reason": reason.encode()}
    if reason == _TOO_OFTEN:
        answer[b"retry in"] = RETRY_MINUTES
    return bencode.encode(answer)
