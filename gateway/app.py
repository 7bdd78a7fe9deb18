"""Puts the gateway together: settings in, an ASGI application out. The only place that knows all the parts.

    Gateway   what one process runs: the node and its driver, the channels, the ingest
    web_app   the HTTP side of a gateway; its lifespan starts and stops it
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from pydantic import BaseModel

from gateway import problems
from gateway.audience import Audience, AudienceCounter
from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.ingest.desk import IngestDesk
from gateway.ingest.keys import IngestKeys
from gateway.key_files import peer_key
from gateway.membership import Membership, quic_membership
from gateway.on_air import Studio
from gateway.origins import Origins
from gateway.routes.api import api_router
from gateway.routes.hls import hls_router
from gateway.routes.ingest import ingest_router
from gateway.routes.web import web_router
from gateway.settings import Settings
from swarm.errors import LinkError
from swarm.link import parse_link

ANY_HOST = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class Health(BaseModel):
    """What a supervisor asks for; ``seedcast`` is the version, by which another process knows whom it talks to."""

    status: str
    seedcast: str
    streams: int


class Gateway:
    """What one process runs. Nothing is opened before ``running``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.audience = Audience()
        self._key = peer_key(settings.data_dir)
        self.membership: Membership = quic_membership(settings, self._key.identity)
        self.channels = Channels(
            self.membership, window_s=settings.window_s, idle_leave_s=settings.idle_leave_s
        )
        self.studio = Studio(self.membership, self.channels)
        for text in settings.links:
            self._add(text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From opening the UDP socket to the last good-bye. Raises CannotStart."""
        with closing(self._key):
            await self.membership.start()
            sweeper = asyncio.create_task(self.channels.sweep(), name="sweeper")
            try:
                yield
            finally:
                sweeper.cancel()
                with suppress(asyncio.CancelledError):
                    await sweeper
                self.channels.close()
                await self.membership.stop()

    def _add(self, text: str) -> None:
        try:
            self.channels.add(parse_link(text))
        except LinkError as error:
            raise CannotStart(f"The link {text[:80]} cannot be read: {error}") from error
