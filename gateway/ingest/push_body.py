"""The bytes of a push as they come, and how it goes with them: their rate, their pauses, their end."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from enum import Enum

from gateway.ingest.errors import PushRefused, PushSilent

RATE_AFTER_S = 0.3
SILENT_S = 0.6
"""A push that says nothing for so long makes way for the one that waits, whose data comes."""
BROKEN_S = 0.2
"""The same for one whose connection has broken."""
PATIENCE = 1.5
WAITS = 8
"""So many pauses are remembered, and the longest of them may last half as long again."""


class Line(Enum):
    """What is known of a sender besides its bytes. ``BROKEN``: what came last broke off in its middle."""

    UP = "up"
    BROKEN = "broken"
    OVER = "over"


def always_up() -> Line:
    return Line.UP


class PushBody:
    """The bytes of a push, watched: a sender that falls silent ends it."""

    def __init__(
        self,
        body: AsyncIterator[bytes],
        *,
        idle_s: float,
        line: Callable[[], Line] = always_up,
        silent_s: float = SILENT_S,
    ) -> None:
        self._body = body
        self._idle_s = idle_s
        self._line = line
        self._silent_s = silent_s
        self._ended = False
        self._waits_s: deque[float] = deque(maxlen=WAITS)
        self._began_s: float | None = None
        self._asked_s: float | None = None
        self._deadline: asyncio.Timeout | None = None
        self._ahead = b""
        self._reading: asyncio.Task[bytes] | None = None
        self._refusal: PushRefused | None = None
        self.size_bytes = 0

    @property
    def rate_bps(self) -> int | None:
        """What has come per second; None before there is enough to tell, which is before anything is on air."""
        lasted_s = time.monotonic() - self._began_s if self._began_s is not None else 0.0
        return round(self.size_bytes * 8 / lasted_s) if lasted_s >= RATE_AFTER_S else None

    @property
    def silent_s(self) -> float:
        """For how long the next bytes have been waited for."""
        return time.monotonic() - self._asked_s if self._asked_s is not None else 0.0

    @property
    def is_silent(self) -> bool:
        """Whether bytes have been waited for longer than this sender lets wait: one of whole segments pauses."""
        usual_s = max(self._waits_s, default=0.0)
        least_s = BROKEN_S if self._line() is Line.BROKEN else max(self._silent_s, PATIENCE * usual_s)
        return self.silent_s > least_s

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come that has not come yet."""
        return self._ended or self._line() is Line.OVER

    def put_back(self, data: bytes) -> None:
        """Have these bytes read next."""
        self._ahead = data

    async def close(self) -> None:
        """Nobody reads any more."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def give_up(self) -> None:
        """Wait no longer for what does not come."""
        if self._deadline is not None and self._asked_s is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())

    @property
    def is_refused(self) -> bool:
        return self._refusal is not None

    def refuse(self, refusal: PushRefused) -> None:
        """Let no more of it in, for this reason."""
        self._refusal = refusal
        self.give_up()

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises PushSilent, and what it was refused for."""
        if self._refusal is not None:
            raise self._refusal
        ahead, self._ahead = self._ahead, b""
        if ahead:
            return ahead
        self._asked_s = time.monotonic()
        # A reader that is called off must not end the body: another one may go on where it was.
        reading = self._reading = self._reading or asyncio.create_task(self._next())
        try:
            async with asyncio.timeout(self._idle_s) as self._deadline:
                await asyncio.wait((reading,))
        except TimeoutError as error:
            if self._refusal is not None:
                raise self._refusal from error
            raise PushSilent(
                f"No data came for {self._idle_s:g} s. Send again with the same key; viewers go on where they were."
            ) from error
        finally:
            self._asked_s = None
        self._reading = None
        return reading.result()

    async def _next(self) -> bytes:
        async for data in self._body:
            if data:
                self._waits_s.append(self.silent_s)
                self._began_s = self._began_s or time.monotonic()
                self.size_bytes += len(data)
                return data
        self._ended = True
        return b""
