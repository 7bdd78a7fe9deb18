"""Requests that wait for a place in the live window: woken when it is reached, not by asking again and again."""

import asyncio

Place = tuple[int, int]
"""Segment and part."""

WAITERS_MAX = 4096
"""Requests held at once for one stream; more are answered at once."""


class Waiters:
    """Futures by the place that they wait for."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], Place] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, place: Place, timeout_s: float) -> bool:
        """True when the place is reached in time; False after ``timeout_s``, or when nothing more will come."""
        if len(self._waiting) >= WAITERS_MAX:
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[future] = place
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            return False
        finally:
            del self._waiting[future]

    def reach(self, newest: Place) -> None:
        """Wake those whose place is there now."""
        for future, place in self._waiting.items():
            if place <= newest and not future.done():
                future.set_result(True)

    def give_up(self) -> None:
        """Wake all: nothing more will come."""
        for future in self._waiting:
            if not future.done():
                future.set_result(False)
