"""The user's cap at the socket: on a loop whose clock jumps over every wait, so that seconds take none."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from swarm.drivers.quic.pacing import HEADERS_BYTES
from swarm.events import Dial, Send, Urgency
from swarm.units import Address, LinkId
from tests.swarm.drivers.collector import Collector, Peer

CAP_BPS = 2_000_000
MESSAGE_BYTES = 16 << 10
SECONDS = 5.0


class Jumping(selectors.DefaultSelector):
    """Waits for nothing: when no socket is ready, the time that it would have waited is over."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.now += max(0.0, timeout)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class Wire(asyncio.DatagramProtocol):
    """Stands between a dialler and an acceptor, and counts what the dialler puts on the line."""

    def __init__(self, to: Address) -> None:
        self._to = to
        self._dialler: tuple[str, int] | None = None
        self.line_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr == tuple(self._to):
            self._transport.sendto(data, self._dialler)
        else:
            self._dialler = addr
            self.line_bytes += len(data) + HEADERS_BYTES
            self._transport.sendto(data, tuple(self._to))


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(scene())


async def dial(sender: Peer, to: Address) -> LinkId:
    known = set(sender.node.up)
    sender.order(Dial(address=to, peer=None))
    await sender.node.until(lambda: len(sender.node.up) > len(known))
    return next(iter(sender.node.up.keys() - known))


def push(sender: Peer, link: LinkId, urgency: Urgency, count: int) -> None:
    message = bytes([urgency]) * MESSAGE_BYTES
    sender.order(*[Send(link, message, urgency, None)] * count)


def test_a_cap_is_kept_to_within_a_twentieth_over_all_links() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with Peer(1) as ann, Peer(2) as bob, Peer(3) as cora:
            wires, links = [], []
            for peer in (bob, cora):
                transport, wire = await loop.create_datagram_endpoint(
                    partial(Wire, peer.address), local_addr=("127.0.0.1", 0)
                )
                wires.append((transport, wire))
                links.append(await dial(ann, Address(*transport.get_extra_info("sockname"))))
            ann.node.pacer.rate_bps = CAP_BPS
            before = sum(wire.line_bytes for _, wire in wires)
            for link in links:
                push(ann, link, Urgency.STRIPE, 200)
            await asyncio.sleep(SECONDS)
            sent_bytes = sum(wire.line_bytes for _, wire in wires) - before
            assert 0.95 < sent_bytes * 8 / CAP_BPS / SECONDS < 1.05
            assert all(peer.node.messages for peer in (bob, cora))
            for transport, _ in wires:
                transport.close()

    run(scene)


def test_the_pacer_hears_of_every_byte_on_the_line() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with Peer(1) as ann, Peer(2) as bob:
            transport, wire = await loop.create_datagram_endpoint(
                lambda: Wire(bob.address), local_addr=("127.0.0.1", 0)
            )
            link = await dial(ann, Address(*transport.get_extra_info("sockname")))
            push(ann, link, Urgency.STRIPE, 20)
            await bob.node.until(lambda: len(bob.node.messages) == 20)
            await asyncio.sleep(0.1)
            assert ann.node.pacer.total_bytes == wire.line_bytes
            transport.close()

    run(scene)


def test_under_a_cap_urgency_counts_over_all_links() -> None:
    arrived: list[int] = []

    async def scene() -> None:
        def note(data: bytes) -> None:
            arrived.append(data[0])

        async with Peer(1) as ann, Peer(2, node=Collector(note)) as bob, Peer(3, node=Collector(note)) as cora:
            links = [await dial(ann, peer.address) for peer in (bob, cora)]
            for link in links:  # until the congestion windows hold a whole message
                push(ann, link, Urgency.STRIPE, 30)
            await bob.node.until(lambda: len(bob.node.messages) == 30)
            await cora.node.until(lambda: len(cora.node.messages) == 30)
            arrived.clear()
            ann.node.pacer.rate_bps = CAP_BPS
            push(ann, links[0], Urgency.REPAIR, 5)
            push(ann, links[0], Urgency.CATCH_UP, 5)
            push(ann, links[1], Urgency.STRIPE, 10)
            await bob.node.until(lambda: len(bob.node.messages) == 40)
            assert arrived == [Urgency.STRIPE] * 10 + [Urgency.CATCH_UP] * 5 + [Urgency.REPAIR] * 5

    run(scene)


def test_control_waits_for_no_cap() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            link = await dial(ann, bob.address)
            ann.node.pacer.rate_bps = 8_000
            push(ann, link, Urgency.STRIPE, 5)
            ann.order(Send(link, b"control", Urgency.CONTROL, None))
            await bob.node.until(lambda: any(data == b"control" for _, data in bob.node.messages))
            assert len(bob.node.messages) <= 2

    run(scene)


def test_what_waits_goes_when_the_cap_is_lifted() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with Peer(1) as ann, Peer(2) as bob:
            link = await dial(ann, bob.address)
            ann.node.pacer.rate_bps = CAP_BPS
            push(ann, link, Urgency.STRIPE, 100)
            await asyncio.sleep(0.5)
            assert len(bob.node.messages) < 20
            ann.node.pacer.rate_bps = 0
            lifted_s = loop.time()
            await bob.node.until(lambda: len(bob.node.messages) == 100)
            assert loop.time() - lifted_s < 1

    run(scene)
