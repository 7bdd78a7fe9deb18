"""Runs a node over QUIC: its orders are carried out here, what happens on the links is told to it here.

Everything runs in one event loop, so the node never sees two calls at once. After each input all outputs are taken
and carried out in order; news go to the application, which may give commands from within.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from swarm.drivers.port import NodePort
from swarm.drivers.quic.connection import make_profile
from swarm.drivers.quic.endpoint import Endpoint
from swarm.drivers.quic.table import Limits
from swarm.events import Close, Dial, LinkInfo, LinkStats, News, Output, Send
from swarm.identity import Identity
from swarm.units import Address, LinkId

GOODBYE_S_MAX = 0.4
"""How long stopping may take to send what is still queued."""

TIMER_GRAIN_S = 0.004
"""Timers are rounded up to a multiple of this: those of many nodes come up together, a loop whose clock counts whole
milliseconds calls none too early, and a node that asks for one in the past again and again starves nobody."""

NodeT = TypeVar("NodeT", bound=NodePort)
T = TypeVar("T")

logger = logging.getLogger(__name__)


class QuicDriver(Generic[NodeT]):
    """One node, one UDP socket. ``host`` is a numeric address to bind; ``::`` takes IPv4 as well."""

    def __init__(
        self,
        node: NodeT,
        identity: Identity,
        on_news: Callable[[News], None],
        *,
        host: str = "::",  # peers come from everywhere; the handshake decides who may speak
        port: int = 0,
        limits: Limits | None = None,
        batching: bool = True,
    ) -> None:
        self._node = node
        self._on_news = on_news
        self._bind = Address(host, port)
        self._batching = batching
        self._endpoint = Endpoint(make_profile(identity.seed), self, limits or Limits(), node.pacer)
        self._address: Address | None = None
        self._draining = False
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s: float | None = None
        self._timer_stale: asyncio.Handle | None = None

    @property
    def address(self) -> Address:
        """Where the socket is bound, known after ``start``."""
        assert self._address is not None, "the driver is not started"
        return self._address

    @property
    def connections(self) -> int:
        """Connections that hold memory now, lingering ones included."""
        return self._endpoint.connections

    async def start(self) -> Address:
        """Open the socket. Raises OSError when the address is taken or is not ours."""
        self._loop = asyncio.get_running_loop()
        self._address = await self._endpoint.open(*self._bind, batching=self._batching)
        self._drain()
        return self._address

    async def stop(self) -> None:
        """Let the node say goodbye, send what is queued for a moment, close everything."""
        self.run(lambda node, now: node.shut_down(now))
        await self._endpoint.sent(GOODBYE_S_MAX)
        self._endpoint.close()
        self._stopped = True
        for handle in (self._timer, self._timer_stale):
            if handle is not None:
                handle.cancel()

    def run(self, command: Callable[[NodeT, float], T]) -> T:
        """Give the node a command and carry out what follows. May be called while news are given out."""
        try:
            return command(self._node, self._loop.time())
        finally:
            self._drain()

    # -- what the endpoint tells

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None:
        self._tell(link, lambda: self._node.link_up(link, info, now))

    def link_down(self, link: LinkId, now: float) -> None:
        self._tell(None, lambda: self._node.link_down(link, now))

    def link_silent(self, link: LinkId, now: float) -> None:
        self._tell(link, lambda: self._node.link_silent(link, now))

    def dial_failed(self, address: Address, now: float) -> None:
        self._tell(None, lambda: self._node.dial_failed(address, now))

    def message(self, link: LinkId, data: bytes, now: float) -> None:
        if self._stopped:
            return
        try:
            self._node.receive(data, link, now)
        except Exception as fault:
            self._failed(link, fault)
        self._drain()

    def measured(self, stats: dict[LinkId, LinkStats], now: float) -> None:
        if self._stopped:
            return
        for link, figures in stats.items():
            try:
                self._node.link_measured(link, figures, now)
            except Exception as fault:
                self._failed(link, fault)
        self._drain()

    # -- the node's outputs

    def _tell(self, link: LinkId | None, tell: Callable[[], None]) -> None:
        """One input of the node. This is where its mistakes end: they cost the link that the input came from."""
        if self._stopped:
            return
        try:
            tell()
        except Exception as fault:
            self._failed(link, fault)
        self._drain()

    def _failed(self, link: LinkId | None, fault: Exception) -> None:
        logger.error("the node failed on an input from link %s", link, exc_info=fault)
        if link is not None:
            self._loop.call_soon(self._endpoint.fail, link, "internal error")

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            while outputs := self._node.outputs():
                for output in outputs:
                    self._carry_out(output)
        finally:
            self._draining = False
        if self._timer_stale is None and not self._stopped:
            self._timer_stale = self._loop.call_soon(self._arm_timer)

    def _carry_out(self, output: Output) -> None:
        match output:
            case Send():
                self._endpoint.send(output.link, output.data, output.urgency, output.expires_s)
            case Dial():
                self._endpoint.dial(output.address, output.peer)
            case Close():
                self._endpoint.end(output.link, output.reason)
            case _:
                self._give_out(output)

    def _give_out(self, news: News) -> None:
        try:
            self._on_news(news)
        except Exception:
            logger.exception("the application failed on %s", type(news).__name__)

    def _arm_timer(self) -> None:
        """Once a turn of the loop, because the node's next timer may be dear to compute."""
        self._timer_stale = None
        at_s = self._node.next_timer()
        if at_s == self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if at_s is not None:
            turns = max(at_s, self._loop.time()) // TIMER_GRAIN_S + 1
            self._timer = self._loop.call_at(turns * TIMER_GRAIN_S, self._on_timer)
        self._timer_s = at_s

    def _on_timer(self) -> None:
        self._timer = self._timer_s = None
        self._tell(None, lambda: self._node.handle_timer(self._loop.time()))
