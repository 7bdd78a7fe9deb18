"""Opens a locked stream at this gateway with what a viewer knows: its password."""

import asyncio
from contextlib import suppress

from gateway import refusals
from gateway.channel import Channel
from gateway.problems import Problem
from swarm.credentials import password_secret
from swarm.keyring import fits
from swarm.link import Link
from swarm.passwords import password_root
from swarm.sealing import Admission

AT_ONCE = asyncio.Semaphore(1)
"""Each try takes up to 128 MiB: one after the other, whoever asks."""


async def unlock(channel: Channel, password: str) -> None:
    """Open the stream until it is left for good. Raises Problem: not known yet, needs no password, the wrong one."""
    with suppress(Problem):  # counts as a request of a player's, so that the stream is joined
        await channel.watch()
    await channel.learn()
    lock = channel.lock
    if lock is None and not channel.renditions:
        raise refusals.not_yet()
    if lock is None or lock.admission is not Admission.PASSWORD:
        raise refusals.no_password()
    async with AT_ONCE:
        root = await asyncio.to_thread(password_root, password, lock.salt, lock.cost)
    if not fits(root, lock, channel.stream):
        raise refusals.wrong_password()
    channel.add_peers(Link(channel.stream, secret=password_secret(root)))
