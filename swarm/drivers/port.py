"""The side of a node that a driver touches.

``swarm.node.Node`` is the one implementation that the product runs; a driver that is written against this protocol
can be tried with a node of a few lines.
"""

from typing import Protocol

from swarm.events import LinkInfo, LinkStats, Output
from swarm.pacer import Pacer
from swarm.units import Address, LinkId


class NodePort(Protocol):
    """Inputs with the driver's clock ``now`` in seconds; outputs taken after every one of them.

    The driver asks ``pacer`` before it writes data, and tells it of all that goes out.
    """

    @property
    def pacer(self) -> Pacer: ...

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None: ...

    def link_down(self, link: LinkId, now: float) -> None: ...

    def link_silent(self, link: LinkId, now: float) -> None: ...

    def dial_failed(self, address: Address, now: float) -> None: ...

    def receive(self, data: bytes, source: LinkId, now: float) -> None: ...

    def link_measured(self, link: LinkId, stats: LinkStats, now: float) -> None: ...

    def handle_timer(self, now: float) -> None: ...

    def shut_down(self, now: float) -> None: ...

    def outputs(self) -> list[Output]: ...

    def next_timer(self) -> float | None: ...
