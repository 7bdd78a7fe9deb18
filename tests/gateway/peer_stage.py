"""Peers over QUIC on loopback: one that broadcasts, others that watch, and how long it takes until they have video."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from gateway.membership import Membership, quic_membership
from gateway.settings import Settings
from swarm.events import News, PieceReady
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import RenditionInfo
from swarm.units import StreamId

OWNER = Identity(bytes(range(32)))
STREAM = StreamId(OWNER.key)
RENDITION = RenditionInfo(number=0, name="main", bitrate_bps=800_000, piece_us=200_000, k=4, n=6, media=b"media")
PIECE_S = 0.2
WAIT_S = 20.0


def peer(seed: int, folder: Path, **options: object) -> Membership:
    """A peer with a folder and an address of its own, which remembers nobody unless it is told to."""
    own = {"swarm_host": "127.0.0.1", "data_dir": folder / f"peer-{seed}", "remember_peers": False}
    return quic_membership(Settings.model_validate({**own, **options}), Identity(bytes([seed]) * 32))


@asynccontextmanager
async def started(*members: Membership) -> AsyncIterator[None]:
    """While all of them are in the network."""
    try:
        for member in members:
            await member.start()
        yield
    finally:
        for member in members:
            await member.stop()


@asynccontextmanager
async def on_air(source: Membership) -> AsyncIterator[None]:
    """While the source sends a piece every 200 ms."""
    source.broadcast(OWNER, title="News", epoch=7, renditions=(RENDITION,))
    sending = asyncio.create_task(_send(source))
    try:
        yield
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        source.leave(STREAM)


async def first_piece_s(viewer: Membership, link: Link) -> float:
    """How long it takes a viewer from the link to the first whole piece. Raises TimeoutError."""
    arrived = asyncio.Event()

    def hear(item: News) -> None:
        if isinstance(item, PieceReady):
            arrived.set()

    begun_s = time.perf_counter()
    viewer.join(link, 0, hear)
    async with asyncio.timeout(WAIT_S):
        await arrived.wait()
    return time.perf_counter() - begun_s


async def _send(source: Membership) -> None:
    for number in range(100, 100_000):
        now_us = int(time.time() * 1e6) - int(PIECE_S * 1e6)
        payload = b"%06d" % number * 3000
        source.publish(STREAM, 0, payload, number=number, key=True, capture_us=now_us, duration_us=200_000)
        await asyncio.sleep(PIECE_S)
