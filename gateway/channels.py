"""The streams that this gateway knows, and the one task that leaves what nobody watches."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from gateway.channel import Channel, Clock, Swarm
from gateway.live import LiveWindow
from gateway.problems import Problem
from gateway.timeshift.past import Past
from gateway.timeshift.shelves import Shelves
from swarm.link import Link, stream_name
from swarm.units import StreamId

logger = logging.getLogger(__name__)

CHANNELS_MAX = 256
SWEEP_EVERY_S = 0.5


class Channels:
    """All channels by name, and the one task that leaves what nobody watches."""

    def __init__(
        self,
        swarm: Swarm,
        *,
        window_s: float,
        idle_leave_s: float,
        clock: Clock = time.monotonic,
        shelves: Shelves | None = None,
        refuse: Callable[[StreamId], None] = lambda _: None,
    ) -> None:
        """``refuse`` raises Problem for a stream that may not be here."""
        self._swarm = swarm
        self._shelves = shelves
        self._refuse = refuse
        self._window_s = window_s
        self._idle_leave_s = idle_leave_s
        self._clock = clock
        self._channels: dict[str, Channel] = {}

    def __len__(self) -> int:
        return len(self._channels)

    def all(self) -> list[Channel]:
        """The newest first."""
        return list(reversed(self._channels.values()))

    def add(self, link: Link) -> Channel:
        """Know a stream; a second link to it adds its peers. Raises Problem when it may not be here."""
        self._refuse(link.stream)
        known = self._channels.get(stream_name(link.stream))
        if known is not None:
            known.add_peers(link)
            return known
        return self._enter(link, is_local=False)

    def add_local(self, stream: StreamId, title: str, secret: str = "") -> Channel:
        """Know a stream that is broadcast from here; ``secret``: of its link, if it is sealed.

        Raises Problem when it is refused.
        """
        self._refuse(stream)
        known = self._channels.get(stream_name(stream))
        if known is None:
            return self._enter(Link(stream, title, secret=secret), is_local=True)
        if known.joined and not known.is_local:
            known.leave()
        known.go_local(title, secret)
        return known

    def get(self, name: str) -> Channel:
        """The stream of this name, or of a view of it (``<stream>/720p``). Raises Problem when it is not here, or is
        refused."""
        channel = self._find(name)
        self._refuse(channel.stream)
        return channel

    def _find(self, name: str) -> Channel:
        channel = self._channels.get(name.partition("/")[0])
        if channel is None:
            raise Problem(
                status=404,
                title="This gateway does not know that stream",
                detail="Add its link first: paste it on the start page, or POST it to /api/v1/streams.",
            )
        return channel

    def remove(self, name: str) -> None:
        """Leave and forget a stream. Raises Problem when it is unknown, or broadcast from here."""
        channel = self._find(name)
        if channel.is_local:
            raise Problem(
                status=409,
                title="This stream is broadcast from here",
                detail="End the broadcast first; the stream goes with it.",
            )
        if channel.joined:
            channel.leave()
        del self._channels[name]

    async def watch(self, name: str) -> LiveWindow:
        """What players get of a stream, or of one rendition of it: ``<stream>/720p``. Raises Problem."""
        return await self.get(name).watch(name.partition("/")[2] or None)

    async def tune(self, name: str) -> Past:
        """What players get of a stream's past, or of one rendition's (``<stream>/720p``), which may be all that there
        is of it. Raises Problem."""
        channel, rung = self.get(name), name.partition("/")[2] or None
        try:
            window = await channel.watch(rung)
        except Problem:
            window = None
            kept = channel.kept(rung)
            if kept is None or not kept.shelf.lines():
                raise
        kept = channel.kept(rung)
        if kept is None:
            raise _no_shelf_problem()
        return Past(kept.shelf, window, kept.backfill)

    async def sweep(self, every_s: float = SWEEP_EVERY_S) -> None:
        """Leave what nobody watches, and choose renditions anew, for ever; run as one task."""
        while True:
            await asyncio.sleep(every_s)
            for channel in self.all():
                if self._is_refused(channel) and channel.joined and not channel.is_local:
                    channel.leave()
                channel.steer()
                if channel.leave_if_idle(self._idle_leave_s):
                    logger.info("%s: nobody watches, left its swarm", channel.name)

    def _is_refused(self, channel: Channel) -> bool:
        try:
            self._refuse(channel.stream)
        except Problem:
            return True
        return False

    def close(self) -> None:
        """Wake all players that wait; what they get is the end."""
        for channel in self.all():
            channel.close()

    def _enter(self, link: Link, *, is_local: bool) -> Channel:
        if len(self._channels) >= CHANNELS_MAX:
            raise Problem(
                status=507,
                title=f"This gateway knows {CHANNELS_MAX} streams already",
                detail="Remove one that you no longer watch: DELETE /api/v1/streams/{id}.",
            )
        name = stream_name(link.stream)
        channel = Channel(
            link,
            self._swarm,
            window_s=self._window_s,
            clock=self._clock,
            open_shelf=partial(self._shelves.shelf, name) if self._shelves is not None else None,
            is_local=is_local,
        )
        self._channels[name] = channel
        return channel


def _no_shelf_problem() -> Problem:
    return Problem(
        status=404,
        title="This gateway keeps nothing of the past",
        detail="Set timeshift_s to the seconds to keep, and start it again.",
        slug="no-timeshift",
    )
