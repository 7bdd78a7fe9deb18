"""The processes of ``make bench-swarm``: one with the source, several with many viewers each.

They are led by lines on stdin: ``join SETTINGS LINK`` starts one more viewer, whose address is the answer; ``mark``
asks for what has been used so far; when stdin closes they tell what they saw, as their last line, and end.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import ClassVar

import uvloop

from swarm import wire
from swarm.drivers.quic import QuicDriver
from swarm.events import News, Output, PieceReady, Send
from swarm.identity import Identity
from swarm.link import Link, format_link, parse_link
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.settings import NodeSettings
from swarm.units import Address, StreamId

KEY_EVERY_S = 1.0
GC_YOUNGEST = 50_000
"""Dozens of nodes make one large heap: the collector looks at it more seldom than by default."""

Figures = dict[str, object]


class CountingNode(Node):
    """Counts what all such nodes of this process give out, by kind: messages, and orders to the driver."""

    given: ClassVar[Counter[str]] = Counter()
    _names: ClassVar[dict[int, str]] = {wire.BLOCK: "Block"}

    def outputs(self) -> list[Output]:
        outputs = super().outputs()
        for output in outputs:
            self.given[self._name(output.data) if isinstance(output, Send) else type(output).__name__] += 1
        return outputs

    def _name(self, data: bytes) -> str:
        if data[0] not in self._names:
            self._names[data[0]] = type(wire.decode(data)).__name__
        return self._names[data[0]]


class Viewer:
    """One node that watches; ``whole`` has the moment at which each piece was complete.

    Without ``paced`` an upload cap still limits the children, but holds no datagram back.
    """

    def __init__(self, link: Link, settings: NodeSettings, *, paced: bool = True, counted: bool = False) -> None:
        identity = Identity(os.urandom(32))
        self._link = link
        self.node = new_node(identity, settings, CountingNode if counted else Node)
        if not paced:
            self.node.pacer.rate_bps = 0.0
        self.driver = QuicDriver(self.node, identity, self._hear, host="127.0.0.1")
        self.whole: dict[int, float] = {}
        self.joined_s = 0.0

    async def join(self) -> Address:
        address = await self.driver.start()
        self.joined_s = time.time()
        self.driver.run(lambda node, now: node.join(self._link.stream, 0, self._link.peers, now))
        return address

    def used(self) -> dict[str, int]:
        """Blocks that came, and bytes."""
        status = self.node.status(self._link.stream)
        if status is None:
            return {}
        return {
            "hops": status.blocks + status.duplicates,
            "bytes_out": status.bytes_out,
            "payload_bytes": status.payload_bytes,
        }

    def _hear(self, news: News) -> None:
        if isinstance(news, PieceReady):
            self.whole.setdefault(news.number, time.time())


def new_node(identity: Identity, settings: NodeSettings, kind: type[Node] = Node) -> Node:
    now = asyncio.get_running_loop().time()
    return kind(
        identity=identity,
        settings=settings,
        rng=random.Random(identity.key),
        wall_offset_s=time.time() - now,
        now=now,
    )


async def view(options: argparse.Namespace) -> None:
    """Watch with one node more at each ``join``."""
    viewers: list[Viewer] = []

    def used() -> Figures:
        total: Counter[str] = Counter()
        for viewer in viewers:
            total.update(viewer.used())
        return dict(total) | {"given": dict(CountingNode.given)}

    async for word, *rest in commands():
        if word == "join":
            settings, link = rest
            viewer = Viewer(
                parse_link(link), NodeSettings(**json.loads(settings)), paced=options.paced, counted=options.count
            )
            viewers.append(viewer)
            print(*await viewer.join(), flush=True)
        else:
            tell(used())
    seen = [viewer.whole for viewer in viewers]
    tell(used() | {"whole": seen, "joined": [viewer.joined_s for viewer in viewers]})
    await asyncio.gather(*(viewer.driver.stop() for viewer in viewers))


class Source:
    """Signs a random piece every ``piece_s``, on time whatever happens between."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._owner = Identity(os.urandom(32))
        self._stream = StreamId(self._owner.key)
        identity = Identity(os.urandom(32))
        self.node = new_node(identity, NodeSettings())
        self.driver = QuicDriver(self.node, identity, lambda news: None, host="127.0.0.1")
        self.signed: dict[int, float] = {}

    async def start(self) -> Link:
        options = self._options
        address = await self.driver.start()
        rendition = RenditionInfo(
            number=0,
            name="main",
            bitrate_bps=options.bitrate,
            piece_us=int(options.piece_s * 1e6),
            k=options.k,
            n=options.n,
            media=b"",
        )
        self.driver.run(
            lambda node, now: node.broadcast(self._owner, title="bench", epoch=1, renditions=(rendition,), now=now)
        )
        return Link(self._stream, "bench", (address,))

    async def publish(self) -> None:
        """Until cancelled."""
        loop, piece_s = asyncio.get_running_loop(), self._options.piece_s
        size, keys = int(self._options.bitrate * piece_s / 8), max(1, round(KEY_EVERY_S / piece_s))
        start_s, number = loop.time(), 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, start_s + number * piece_s - loop.time()))
            self._piece(number, os.urandom(size), key=number % keys == 0)

    def _piece(self, number: int, payload: bytes, *, key: bool) -> None:
        piece_s = self._options.piece_s
        self.signed[number] = now_s = time.time()
        self.driver.run(
            lambda node, now: node.publish(
                self._stream,
                0,
                payload,
                number=number,
                key=key,
                capture_us=int((now_s - piece_s) * 1e6),
                duration_us=int(piece_s * 1e6),
                now=now,
            )
        )

    def used(self) -> Figures:
        status = self.node.status(self._stream)
        assert status is not None
        return {"bytes_out": status.bytes_out, "payload_bytes": status.payload_bytes}


async def broadcast(options: argparse.Namespace) -> None:
    """Publish, the link printed first."""
    source = Source(options)
    link = await source.start()
    print(format_link(link), flush=True)
    publishing = asyncio.create_task(source.publish())
    async for _ in commands():
        tell(source.used())
    publishing.cancel()
    with suppress(asyncio.CancelledError):
        await publishing
    tell(source.used() | {"signed": source.signed})
    await source.driver.stop()


async def commands() -> AsyncIterator[list[str]]:
    """Lines of stdin until it closes, in words."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()
    pipe.close()


def tell(figures: Figures) -> None:
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_s": time.process_time(), "rss_mb": rss_mb} | figures), flush=True)


def main() -> None:
    """Play this process's role."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("source", "viewers"))
    parser.add_argument("--bitrate", type=int)
    parser.add_argument("--piece-s", type=float)
    parser.add_argument("--k", type=int)
    parser.add_argument("--n", type=int)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--paced", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    gc.set_threshold(GC_YOUNGEST)
    uvloop.run(broadcast(options) if options.role == "source" else view(options))


if __name__ == "__main__":
    main()
