"""The node, as far as finding peers goes: whom discovery works for."""

from collections.abc import Sequence
from typing import Protocol

from swarm.units import Address, StreamId


class Seeker(Protocol):
    """Takes what is found, and tells what finding needs."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where this node can be reached."""
        ...

    def found(self, stream: StreamId, addresses: Sequence[Address]) -> None:
        """Peers of a stream may be there."""
        ...

    def is_lonely(self, stream: StreamId) -> bool:
        """Whether nobody else of the stream's swarm is connected."""
        ...

    def neighbours(self, stream: StreamId) -> Sequence[Address]:
        """Who of the stream's swarm is connected, those first that others reach too."""
        ...

    def relays(self, stream: StreamId) -> Sequence[Address]:
        """Neighbours that others reach too."""
        ...
