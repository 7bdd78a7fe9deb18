"""The rundown of a list: its films one after the other, the next one looked into while the one before plays."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.errors import CannotStart
from gateway.ingest.errors import InputUnreadable
from gateway.ingest.naming import films_named, parse_film
from gateway.ingest.preparation import Prepared
from gateway.ingest.sources import ListSource, OneSource, name_of
from gateway.media.errors import MediaError

logger = logging.getLogger(__name__)

Prepare = Callable[[OneSource], Awaitable[Prepared]]


class Rundown:
    """The films of a list, in order. What cannot be read is passed over with a warning.

    Folders and lists are looked into anew at each round, which is when the last film of the round before begins.
    """

    def __init__(self, source: ListSource, prepare: Prepare) -> None:
        self._source = source
        self._prepare = prepare
        self._films: deque[str] | None = None
        self._readable = 0
        self._reason = ""
        self._coming: asyncio.Task[Prepared | None] | None = None

    async def next(self) -> Prepared | None:
        """The next film, None behind the last one. Raises InputUnreadable when a round has none that can be read."""
        coming = self._coming or asyncio.create_task(self._look(), name="look into the next film")
        self._coming = coming
        film = await coming
        self._coming = asyncio.create_task(self._look(), name="look into the next film") if film else None
        return film

    async def close(self) -> None:
        """When this returns, no process is left that looks into a film."""
        if self._coming is not None:
            self._coming.cancel()
            with suppress(asyncio.CancelledError, CannotStart):
                await self._coming

    async def _look(self) -> Prepared | None:
        while True:
            if not self._films and self._films is not None:
                if not self._readable:
                    raise InputUnreadable(f"{name_of(self._source)} has no film that can be played{self._reason}.")
                if not self._source.loop:
                    return None
            if not self._films:
                self._films = deque(await asyncio.to_thread(self._find))
                self._readable = 0
                continue
            if (film := await self._try(self._films.popleft())) is not None:
                self._readable += 1
                return film

    async def _try(self, name: str) -> Prepared | None:
        try:
            source = parse_film(name, allow_private=self._source.allow_private)
            return await self._prepare(source)
        except (CannotStart, MediaError) as error:
            self._reason = f": {str(error).rstrip('.')}"
            logger.warning("Passed over: %s", error)
            return None

    def _find(self) -> list[str]:
        """All films of a round; what is gone meanwhile is passed over."""
        films = []
        for name in self._source.names:
            try:
                films += films_named(name)
            except InputUnreadable as error:
                self._reason = f": {str(error).rstrip('.')}"
                logger.warning("Passed over: %s", error)
        if self._source.shuffle:
            random.SystemRandom().shuffle(films)
        return films
