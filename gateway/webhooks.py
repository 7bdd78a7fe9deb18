"""Tells programs of the user's when a broadcast from here begins and when it ends: JSON by POST.

    {"event": "started" | "ended", "stream": name, "title": ..., "link": ..., "at": "2026-01-31T12:00:00+00:00"}

Only the settings name who is told; redirects are not followed. What cannot be delivered is tried again a few times and
then logged: no broadcast waits for anybody.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import httpx

logger = logging.getLogger(__name__)

Event = Literal["started", "ended"]

WAITING_MAX = 256
"""Events that wait to be delivered; more of them are dropped, the oldest first."""

TIMEOUT_S = 5.0
PAUSES_S = (1.0, 5.0, 25.0)
"""Before each further try."""

CLOSING_S = 3.0
"""The last events get so long when the gateway stops."""


class Webhooks:
    """Delivers events to ``urls``, in order, one URL after the other."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        pauses_s: Sequence[float] = PAUSES_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls = tuple(urls)
        self._pauses_s = tuple(pauses_s)
        self._transport = transport
        self._waiting: asyncio.Queue[dict[str, str]] = asyncio.Queue(WAITING_MAX)
        self._delivering: asyncio.Task[None] | None = None

    def tell(self, event: Event, *, stream: str, title: str, link: str) -> None:
        """Have it told soon."""
        if not self._urls:
            return
        if self._waiting.full():
            dropped = self._waiting.get_nowait()
            self._waiting.task_done()
            logger.warning("Nobody was told that %s has %s: too much waits", dropped["stream"], dropped["event"])
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._waiting.put_nowait({"event": event, "stream": stream, "title": title, "link": link, "at": at})
        if self._delivering is None:
            self._delivering = asyncio.get_running_loop().create_task(self._deliver(), name="webhooks")

    async def close(self) -> None:
        """Deliver what waits, within a moment."""
        if self._delivering is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self._waiting.join()
        self._delivering.cancel()
        with suppress(asyncio.CancelledError):
            await self._delivering

    async def _deliver(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, transport=self._transport) as client:
            while True:
                event = await self._waiting.get()
                for url in self._urls:
                    await self._post(client, url, event)
                self._waiting.task_done()

    async def _post(self, client: httpx.AsyncClient, url: str, event: dict[str, str]) -> None:
        for pause_s in (0.0, *self._pauses_s):
            await asyncio.sleep(pause_s)
            try:
                answer = await client.post(url, json=event)
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
                continue
            if answer.is_success:
                return
            reason = f"it answered {answer.status_code}"
            if answer.is_client_error:
                break  # the same again would get the same answer
        logger.warning("%s was not told that %s has %s: %s", url, event["stream"], event["event"], reason)
