"""What the transport costs: ``python -m tests.bench.bench_transport`` (about half a minute, loopback only).

Two scenes, each over the QUIC driver and over plain asyncio TCP as the floor that encryption and NAT traversal cost:

bulk    one link between two processes, as fast as it goes: MB/s, and CPU seconds per GB at either end
relay   50 endpoints in one process, a forest of 8 stripes in which each endpoint relays one stripe to up to 8
        children, 8 KiB messages at 1 Mbit/s per viewer: CPU microseconds per message and hop

``--profile bulk|relay`` prints where the time of the QUIC scene goes instead. The last line is one JSON object.
"""

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import pstats
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import Any

from swarm.drivers.quic import QuicDriver
from swarm.events import Dial, LinkInfo, LinkStats, Output, Send, Urgency
from swarm.framing import FrameReader, frame
from swarm.identity import Identity
from swarm.pacer import Pacer
from swarm.units import Address, LinkId

BULK_MESSAGE_BYTES = 16 << 10
BULK_WINDOW = 128
"""Messages on the way before the sender waits for the receiver's word."""

BULK_ACK_EVERY = 32
BULK_MESSAGES = BULK_ACK_EVERY * 600
BULK_BYTES = BULK_MESSAGES * BULK_MESSAGE_BYTES

ENDPOINTS = 50
STRIPES = 8
FAN_OUT = 8
RELAY_MESSAGE_BYTES = 8 << 10
RELAY_BPS = 1_000_000
RELAY_S = 10.0

HOST = "127.0.0.1"


class BenchNode:
    """A node that only has links: what arrives goes to ``on_message``, what ``say`` takes goes out."""

    def __init__(self) -> None:
        self.orders: list[Output] = []
        self.links: list[LinkId] = []
        self.dialled: dict[Address, LinkId] = {}
        self.came = asyncio.Event()
        self.on_message: Callable[[bytes, LinkId], None] = lambda data, link: None
        self.pacer = Pacer()

    def say(self, link: LinkId, data: bytes) -> None:
        self.orders.append(Send(link, data, Urgency.STRIPE, None))

    def link_up(self, link: LinkId, info: LinkInfo, now: float) -> None:
        self.links.append(link)
        if info.dialled:
            self.dialled[info.address] = link
        self.came.set()

    def link_down(self, link: LinkId, now: float) -> None:
        self.came.set()

    def link_silent(self, link: LinkId, now: float) -> None:
        pass

    def dial_failed(self, address: Address, now: float) -> None:
        raise RuntimeError(f"nobody answers at {address}")

    def receive(self, data: bytes, source: LinkId, now: float) -> None:
        self.on_message(data, source)

    def link_measured(self, link: LinkId, stats: LinkStats, now: float) -> None:
        pass

    def handle_timer(self, now: float) -> None:
        pass

    def shut_down(self, now: float) -> None:
        pass

    def outputs(self) -> list[Output]:
        orders, self.orders = self.orders, []
        return orders

    def next_timer(self) -> float | None:
        return None


def _driver(node: BenchNode, number: int) -> QuicDriver[BenchNode]:
    return QuicDriver(node, Identity(number.to_bytes(32, "big")), lambda news: None, host=HOST)


# -- bulk


class BulkCounter:
    """The receiving end: says a word every few messages, and is done after ``BULK_MESSAGES``."""

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self.done = asyncio.Event()
        self._say = say
        self._messages = 0

    def take(self, data: bytes) -> None:
        self._messages += 1
        if self._messages % BULK_ACK_EVERY == 0:
            self._say(b"more")
        if self._messages == BULK_MESSAGES:
            self.done.set()


class BulkSource:
    """The sending end: keeps ``BULK_WINDOW`` messages on the way."""

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self.done = asyncio.Event()
        self._say = say
        self._left = BULK_MESSAGES
        self._message = bytes(BULK_MESSAGE_BYTES)

    def start(self) -> None:
        self._send(BULK_WINDOW)

    def take(self, data: bytes) -> None:
        self._send(BULK_ACK_EVERY)

    def _send(self, messages: int) -> None:
        for _ in range(min(messages, self._left)):
            self._say(self._message)
        self._left -= messages
        if self._left <= -BULK_WINDOW:
            self.done.set()


async def _bulk_quic_receiver(pipe: Pipe) -> None:
    node = BenchNode()
    driver = _driver(node, 2)
    address = await driver.start()
    counter = BulkCounter(lambda data: node.say(node.links[0], data))
    node.on_message = lambda data, link: counter.take(data)
    pipe.send(address.port)
    await counter.done.wait()
    pipe.send(time.process_time())
    await asyncio.to_thread(pipe.recv)
    await driver.stop()


async def _bulk_quic_sender(port: int) -> None:
    node = BenchNode()
    driver = _driver(node, 1)
    await driver.start()
    node.orders.append(Dial(address=Address(HOST, port), peer=None))
    driver.run(lambda node, now: None)
    await node.came.wait()
    source = BulkSource(lambda data: node.say(node.links[0], data))
    node.on_message = lambda data, link: source.take(data)
    driver.run(lambda node, now: source.start())
    await source.done.wait()
    await driver.stop()


class TcpLink(asyncio.Protocol):
    """The floor: the same framing on a TCP connection."""

    def __init__(self, on_message: Callable[[bytes, "TcpLink"], None]) -> None:
        self._on_message = on_message
        self._reader = FrameReader()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for message in self._reader.feed(data):
            self._on_message(message, self)

    def say(self, data: bytes) -> None:
        self.transport.write(frame([data]))


async def _bulk_tcp_receiver(pipe: Pipe) -> None:
    link = TcpLink(lambda data, link: counter.take(data))
    counter = BulkCounter(link.say)
    server = await asyncio.get_running_loop().create_server(lambda: link, HOST, 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await counter.done.wait()
    pipe.send(time.process_time())
    await asyncio.to_thread(pipe.recv)
    link.transport.close()
    server.close()
    await server.wait_closed()


async def _bulk_tcp_sender(port: int) -> None:
    loop = asyncio.get_running_loop()
    sources: list[BulkSource] = []
    _, link = await loop.create_connection(lambda: TcpLink(lambda data, link: sources[0].take(data)), HOST, port)
    sources.append(BulkSource(link.say))
    sources[0].start()
    await sources[0].done.wait()
    link.transport.close()


def _serve_bulk(receiver: Callable[[Pipe], Coroutine[Any, Any, None]], pipe: Pipe) -> None:
    asyncio.run(receiver(pipe))


def bulk(
    receiver: Callable[[Pipe], Coroutine[Any, Any, None]],
    sender: Callable[[int], Coroutine[Any, Any, None]],
) -> dict[str, float]:
    """MB/s, and CPU seconds per GB for the sender and the receiver, which runs in a process of its own."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve_bulk, args=(receiver, theirs))
    process.start()
    port = pipe.recv()
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(sender(port))
    elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    receiver_cpu = pipe.recv()
    pipe.send("done")
    process.join()
    gigabytes = BULK_BYTES / 1e9
    return {
        "mb_per_s": round(BULK_BYTES / 1e6 / elapsed, 1),
        "sender_cpu_s_per_gb": round(cpu / gigabytes, 2),
        "receiver_cpu_s_per_gb": round(receiver_cpu / gigabytes, 2),
    }


# -- relay


def forest() -> dict[int, dict[int, list[int]]]:
    """For each stripe: who sends to whom. Node 0 is the source; node i relays stripe i mod STRIPES."""
    trees: dict[int, dict[int, list[int]]] = {}
    for stripe in range(STRIPES):
        inner = [node for node in range(1, ENDPOINTS) if node % STRIPES == stripe]
        leaves = [node for node in range(1, ENDPOINTS) if node % STRIPES != stripe]
        children: dict[int, list[int]] = defaultdict(list)
        givers = [0, *inner]
        for position, node in enumerate(inner):
            children[0 if position == 0 else givers[1 + (position - 1) // FAN_OUT]].append(node)
        room = [node for node in inner for _ in range(FAN_OUT - len(children[node]))]
        for leaf, giver in zip(leaves, sorted(room, key=room.count), strict=False):
            children[giver].append(leaf)
        trees[stripe] = dict(children)
    return trees


class RelayMesh:
    """Counts arrivals; ``say(giver, taker, data)`` is what a transport must provide."""

    def __init__(self, say: Callable[[int, int, bytes], None]) -> None:
        self.say = say
        self.trees = forest()
        self.hops = 0
        self.delays_s: list[float] = []

    def take(self, node: int, data: bytes) -> None:
        self.hops += 1
        self.delays_s.append(time.perf_counter() - float.fromhex(data[1:40].decode().strip()))
        self._forward(node, data)

    def taker(self, node: int) -> Callable[[bytes, object], None]:
        return lambda data, link: self.take(node, data)

    def emit(self, number: int) -> None:
        head = bytes([number % STRIPES]) + time.perf_counter().hex().ljust(39).encode()
        self._forward(0, head + bytes(RELAY_MESSAGE_BYTES - len(head)))

    def edges(self) -> set[tuple[int, int]]:
        return {(giver, taker) for tree in self.trees.values() for giver, takers in tree.items() for taker in takers}

    def _forward(self, node: int, data: bytes) -> None:
        for child in self.trees[data[0]].get(node, ()):
            self.say(node, child, data)


async def _paced(mesh: RelayMesh, emit: Callable[[int], None]) -> dict[str, float]:
    """Emit at the live rate for RELAY_S and account for it."""
    every_s = RELAY_MESSAGE_BYTES * 8 / RELAY_BPS
    began, cpu = time.perf_counter(), time.process_time()
    messages = int(RELAY_S / every_s)
    for number in range(messages):
        await asyncio.sleep(max(0.0, began + number * every_s - time.perf_counter()))
        emit(number)
    await asyncio.sleep(0.5)
    cpu = time.process_time() - cpu
    delays = sorted(mesh.delays_s)
    return {
        "cpu_us_per_hop": round(cpu / mesh.hops * 1e6, 1),
        "delivered_share": round(mesh.hops / (messages * (ENDPOINTS - 1)), 4),
        "delay_p50_ms": round(delays[len(delays) // 2] * 1e3, 2),
        "delay_p99_ms": round(delays[len(delays) * 99 // 100] * 1e3, 2),
    }


async def relay_quic() -> dict[str, float]:
    nodes = [BenchNode() for _ in range(ENDPOINTS)]
    drivers = [_driver(node, number + 1) for number, node in enumerate(nodes)]
    addresses = [await driver.start() for driver in drivers]
    links: dict[tuple[int, int], LinkId] = {}
    mesh = RelayMesh(lambda giver, taker, data: nodes[giver].say(links[giver, taker], data))
    for number, node in enumerate(nodes):
        node.on_message = mesh.taker(number)
    cpu = time.process_time()
    for giver, taker in sorted(mesh.edges()):
        node = nodes[giver]
        node.orders.append(Dial(address=addresses[taker], peer=None))
        drivers[giver].run(lambda node, now: None)
        while addresses[taker] not in node.dialled:
            node.came.clear()
            await node.came.wait()
        links[giver, taker] = node.dialled[addresses[taker]]
    setup_ms = (time.process_time() - cpu) * 1e3 / len(links)
    result = await _paced(mesh, lambda number: drivers[0].run(lambda node, now: mesh.emit(number)))
    result["cpu_ms_per_handshake"] = round(setup_ms, 2)
    result["links_per_endpoint"] = round(2 * len(links) / ENDPOINTS, 1)
    cpu = time.process_time()
    await asyncio.sleep(3.0)
    result["idle_cpu_percent"] = round((time.process_time() - cpu) / 3.0 * 100, 2)
    for driver in drivers:
        await driver.stop()
    return result


async def relay_tcp() -> dict[str, float]:
    loop = asyncio.get_running_loop()
    links: dict[tuple[int, int], TcpLink] = {}
    mesh = RelayMesh(lambda giver, taker, data: links[giver, taker].say(data))
    servers = [await loop.create_server(partial(TcpLink, mesh.taker(number)), HOST, 0) for number in range(ENDPOINTS)]
    for giver, taker in sorted(mesh.edges()):
        port = servers[taker].sockets[0].getsockname()[1]
        _, links[giver, taker] = await loop.create_connection(lambda: TcpLink(lambda data, link: None), HOST, port)
    result = await _paced(mesh, mesh.emit)
    for link in links.values():
        link.transport.close()
    for server in servers:
        server.close()
        await server.wait_closed()
    return result


def _profile(scene: str) -> None:
    profile = cProfile.Profile()
    if scene == "relay":
        print(json.dumps(profile.runcall(asyncio.run, relay_quic())))
    else:
        print(json.dumps(profile.runcall(bulk, _bulk_quic_receiver, _bulk_quic_sender)))
    pstats.Stats(profile).sort_stats("tottime").print_stats(35)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the transport costs, over QUIC and over plain TCP.")
    parser.add_argument("--profile", choices=["bulk", "relay"])
    chosen = parser.parse_args().profile
    if chosen:
        _profile(chosen)
        return
    results = {
        "bulk_quic": bulk(_bulk_quic_receiver, _bulk_quic_sender),
        "bulk_tcp": bulk(_bulk_tcp_receiver, _bulk_tcp_sender),
        "relay_quic": asyncio.run(relay_quic()),
        "relay_tcp": asyncio.run(relay_tcp()),
    }
    for name, figures in results.items():
        print(name, *(f"{key}={value}" for key, value in figures.items()))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
