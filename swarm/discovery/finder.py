"""A way of finding a stream's peers, as seen from outside: trackers, the DHT, this network and memory are all alike.

Nothing leaves this machine before the first ``open``. What is found goes to the Seeker; how it goes is Progress.
"""

from dataclasses import dataclass, field
from typing import Protocol

from swarm.identity import Identity
from swarm.tracker_url import TrackerUrl
from swarm.units import StreamId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A stream whose peers are wanted. ``owner`` is its secret key where it is broadcast from here, in ``epoch``."""

    stream: StreamId
    trackers: tuple[TrackerUrl, ...] = ()
    owner: Identity | None = field(default=None, repr=False)
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How it goes with one stream: a sentence for people, addresses found, and those refused by reason."""

    finder: str
    said: str
    peers: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class Finder(Protocol):
    """One way of finding peers."""

    def open(self, sought: Sought) -> None:
        """Seek a stream's peers from now on; again, to name more trackers, become its source or tell of an epoch."""
        ...

    def close(self, stream: StreamId) -> None:
        """Seek them no more."""
        ...

    async def stop(self) -> None:
        """Close all, and leave nothing running."""
        ...

    def progress(self, stream: StreamId) -> Progress | None:
        """How it goes; None while the stream is not sought."""
        ...


@dataclass(frozen=True, slots=True)
class Absent:
    """A way that is not gone, and why."""

    finder: str
    reason: str

    def open(self, sought: Sought) -> None: ...

    def close(self, stream: StreamId) -> None: ...

    async def stop(self) -> None: ...

    def progress(self, stream: StreamId) -> Progress | None:
        return Progress(finder=self.finder, said=self.reason)
