"""A node of a few lines that a driver can run: it keeps what it is told, and tests wait for it."""

import asyncio
from collections.abc import Callable

from swarm.drivers.quic import Limits, QuicDriver
from swarm.events import Close, Dial, LinkInfo, LinkStats, Output, Send, Urgency
from swarm.identity import Identity
from swarm.pacer import Pacer
from swarm.units import Address, LinkId, PeerId


class Collector:
    """Keeps links, messages and failures; ``answer`` may turn a message into one to send back."""

    def __init__(self, answer: Callable[[bytes], bytes | None] = lambda _: None) -> None:
        self.up: dict[LinkId, LinkInfo] = {}
        self.down: list[LinkId] = []
        self.silent: list[LinkId] = []
        self.failed: list[Address] = []
        self.messages: list[tuple[LinkId, bytes]] = []
        self.stats: dict[LinkId, LinkStats] = {}
        self.orders: list[Output] = []
        self.timer_s: float | None = None
        self.timers = 0
        self.shut = False
        self.pacer = Pacer()
        self._answer = answer
        self._told = asyncio.Event()

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None:
        self.up[link] = info
        self._told.set()

    def link_down(self, link: LinkId, now: float) -> None:
        self.down.append(link)
        self._told.set()

    def link_silent(self, link: LinkId, now: float) -> None:
        self.silent.append(link)
        self._told.set()

    def dial_failed(self, address: Address, now: float) -> None:
        self.failed.append(address)
        self._told.set()

    def receive(self, data: bytes, source: LinkId, now: float) -> None:
        self.messages.append((source, data))
        answer = self._answer(data)
        if answer is not None:
            self.orders.append(Send(source, answer, Urgency.STRIPE, None))
        self._told.set()

    def link_measured(self, link: LinkId, stats: LinkStats, now: float) -> None:
        self.stats[link] = stats
        self._told.set()

    def handle_timer(self, now: float) -> None:
        self.timer_s = None
        self.timers += 1
        self._told.set()

    def shut_down(self, now: float) -> None:
        self.shut = True

    def outputs(self) -> list[Output]:
        orders, self.orders = self.orders, []
        return orders

    def next_timer(self) -> float | None:
        return self.timer_s

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait for a state of affairs that an input brings about."""
        async with asyncio.timeout(30):
            while not happened():
                self._told.clear()
                await self._told.wait()

    async def until_messages(self, count: int) -> None:
        await self.until(lambda: len(self.messages) == count)


class Peer:
    """A collector under a driver, used as ``async with Peer(1) as peer``."""

    def __init__(
        self,
        number: int,
        *,
        node: Collector | None = None,
        host: str = "127.0.0.1",
        limits: Limits | None = None,
        batching: bool = True,
    ) -> None:
        self.identity = Identity(bytes([number]) * 32)
        self.key = PeerId(self.identity.key)
        self.node = node or Collector()
        self.news: list[object] = []
        self.driver = QuicDriver(
            self.node, self.identity, self.news.append, host=host, limits=limits, batching=batching
        )

    async def __aenter__(self) -> "Peer":
        await self.driver.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.driver.stop()

    @property
    def address(self) -> Address:
        return self.driver.address

    def order(self, *orders: Output) -> None:
        self.driver.run(lambda node, _: node.orders.extend(orders))

    def dial(self, other: "Peer", expected: PeerId | None = None) -> None:
        self.order(Dial(address=other.address, peer=expected))

    def say(
        self,
        data: bytes,
        link: LinkId | None = None,
        urgency: Urgency = Urgency.STRIPE,
        expires_s: float | None = None,
    ) -> None:
        self.order(Send(self.link if link is None else link, data, urgency, expires_s))

    def hang_up(self, link: LinkId | None = None) -> None:
        self.order(Close(link=self.link if link is None else link, reason="enough"))

    @property
    def link(self) -> LinkId:
        """The newest link that came up."""
        return max(self.node.up)

    async def connect(self, other: "Peer") -> None:
        """Dial and wait until both ends have the link."""
        before, there = len(self.node.up), len(other.node.up)
        self.dial(other, other.key)
        await self.node.until(lambda: len(self.node.up) > before)
        await other.node.until(lambda: len(other.node.up) > there)
