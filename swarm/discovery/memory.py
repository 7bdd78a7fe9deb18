"""Finding a stream's peers among those that had it last time: the way that needs nobody else to be alive.

opened -> who is remembered is handed on            each minute and at the end -> who is a neighbour is noted
"""

import asyncio
from contextlib import suppress
from typing import Final

from swarm.discovery.finder import Progress, Sought
from swarm.discovery.remembered import Remembered
from swarm.discovery.seeker import Seeker
from swarm.units import StreamId

NOTE_EVERY_S: Final = 60.0


class Memory:
    """All streams' peers of last time, and who they are now."""

    def __init__(self, seeker: Seeker, remembered: Remembered, *, note_every_s: float = NOTE_EVERY_S) -> None:
        self._seeker = seeker
        self._remembered = remembered
        self._note_every_s = note_every_s
        self._known: dict[StreamId, int] = {}
        self._changed = False
        self._noting: asyncio.Task[None] | None = None

    def open(self, sought: Sought) -> None:
        """Hand on who was there last time, once."""
        if sought.stream in self._known:
            return
        peers = [peer for peer in self._remembered.peers(sought.stream) if peer not in self._seeker.addresses]
        self._known[sought.stream] = len(peers)
        if peers:
            self._seeker.found(sought.stream, peers)
        if self._noting is None:
            self._noting = asyncio.create_task(self._note_for_ever(), name="remembered peers")

    def close(self, stream: StreamId) -> None:
        """Note who is there; it is written within a minute."""
        if self._known.pop(stream, None) is not None:
            self._note(stream)

    async def stop(self) -> None:
        """Write who is there now."""
        task, self._noting = self._noting, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for stream in list(self._known):
            self.close(stream)
        await self._write()

    def progress(self, stream: StreamId) -> Progress | None:
        """How many were known."""
        count = self._known.get(stream)
        if count is None:
            return None
        return Progress(finder="memory", said="knows peers of last time" if count else "knows nobody", peers=count)

    def _note(self, stream: StreamId) -> None:
        self._changed |= self._remembered.note(stream, self._seeker.neighbours(stream))

    async def _note_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._note_every_s)
            for stream in self._known:
                self._note(stream)
            await self._write()

    async def _write(self) -> None:
        if self._changed:
            self._changed = False
            await asyncio.to_thread(self._remembered.write)
