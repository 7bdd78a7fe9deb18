"""Puts the gateway together: settings in, an ASGI application out. The only place that knows all the parts.

Gateway      what one process runs: the node and its driver, the channels, the ingest
web_app      the HTTP side of a gateway; its lifespan starts and stops it
create_app   both at once
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from gateway import problems
from gateway.audience import Audience, AudienceCounter
from gateway.broadcasts import Broadcasts
from gateway.channel import Channel
from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.ingest.desk import IngestDesk
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.ingest.sources import Encoding
from gateway.ingest.upload import Uploads
from gateway.key_files import peer_key
from gateway.ladder import has_audio_rung, read_ladder
from gateway.live.transport import TransportStreams
from gateway.membership import ANY_HOST, quic_membership
from gateway.on_air import OnAir, Studio
from gateway.openapi import describe_problems
from gateway.origins import Origins
from gateway.problems import Problem
from gateway.recordings import Recordings
from gateway.routes.api import api_router
from gateway.routes.broadcasts import broadcasts_router
from gateway.routes.continuous import continuous_router
from gateway.routes.dash import SourceTime, dash_router
from gateway.routes.dispatch import MediaDispatch
from gateway.routes.hls import hls_router
from gateway.routes.hls_transport import hls_transport_router
from gateway.routes.ingest import ingest_router
from gateway.routes.keys import keys_router
from gateway.routes.recordings import recordings_router
from gateway.routes.timeshift import timeshift_router
from gateway.routes.web import web_router
from gateway.settings import Settings
from gateway.timeshift.shelf import Limits
from gateway.timeshift.shelves import Shelves
from gateway.webhooks import Event, Webhooks
from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.link import parse_link


class Health(BaseModel):
    """What a supervisor asks for; ``seedcast`` is the version, by which another process knows whom it talks to."""

    status: str
    seedcast: str
    streams: int


class Gateway:
    """What one process runs. Nothing is opened before ``running``."""

    def __init__(self, settings: Settings) -> None:
        """Raises CannotStart when a link in the settings, the peer's key or the ingest keys cannot be read."""
        self.settings = settings
        self.keys = IngestKeys(keys_path(settings))
        self.audience = Audience()
        self._key = peer_key(settings.data_dir)
        self.membership = quic_membership(settings, self._key.identity)
        self._shelves = shelves_of(settings)
        self.channels = Channels(
            self.membership,
            window_s=settings.window_s,
            idle_leave_s=settings.idle_leave_s,
            shelves=self._shelves,
        )
        self.transports = TransportStreams(settings.ts_segment_s)
        self.recordings = Recordings(settings.data_dir / "recordings", self.channels, self.transports)
        self.webhooks = Webhooks(settings.webhooks)
        self.studio = Studio(self.membership, self.channels, self._tell)
        self.desk = IngestDesk(
            self.keys,
            self._on_air,
            encoding=encoding_of(settings),
            idle_s=settings.ingest_idle_s,
            linger_s=settings.ingest_linger_s,
            slate=settings.slate,
        )
        self.uploads = Uploads(self.desk)
        self.broadcasts = Broadcasts(streams_folder(settings), self.studio)
        for text in settings.links:
            self._add(text)

    @property
    def identity(self) -> Identity:
        """Who this gateway is among peers."""
        return self._key.identity

    def source_time(self, name: str) -> SourceTime:
        """A stream's source's time, from this machine's clock and what the swarm says of the two. Raises Problem."""
        status = self.channels.get(name).status()
        offset_s = status.clock_offset_s if status else 0.0
        return SourceTime(now_us=int((time.time() + offset_s) * 1e6), delay_s=status.delay_s if status else None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From opening the UDP socket to the last good-bye. Raises CannotStart."""
        async with AsyncExitStack() as stack:
            stack.callback(self._key.close)
            if self._shelves is not None:
                stack.callback(self._shelves.close)
            stack.push_async_callback(self.webhooks.close)
            stack.push_async_callback(self.membership.stop)
            await self.membership.start()
            stack.callback(self.channels.close)
            stack.push_async_callback(self.recordings.close)
            stack.push_async_callback(self.broadcasts.close)
            stack.callback(self.desk.close)
            stack.push_async_callback(self.desk.take_slates_down)
            stack.push_async_callback(self.uploads.close)
            sweeper = asyncio.create_task(self.channels.sweep(), name="sweeper")
            stack.push_async_callback(_cancel, sweeper)
            yield

    def _on_air(self, entry: KeyEntry) -> OnAir:
        """Where the pieces of a push go: its key stands for one stream."""
        return self.studio.open(Identity(entry.seed), entry.title or entry.name, lambda: self.desk.bitrate_bps(entry))

    def _tell(self, event: Event, channel: Channel) -> None:
        self.webhooks.tell(event, stream=channel.name, title=channel.title, link=channel.share_link)

    def _add(self, text: str) -> None:
        try:
            self.channels.add(parse_link(text))
        except LinkError as error:
            raise CannotStart(f"The link {text[:60]} cannot be read: {error}") from error
        except Problem as problem:
            raise CannotStart(str(problem)) from problem


def create_app(settings: Settings) -> FastAPI:
    """A gateway and its HTTP side. Raises CannotStart."""
    return web_app(Gateway(settings))


def web_app(gateway: Gateway) -> FastAPI:
    """The HTTP side; the lifespan runs the gateway."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    app = FastAPI(
        title="Seedcast gateway",
        summary="Live streams that their viewers carry, for ordinary players.",
        version=installed_version(),
        lifespan=lifespan,
    )
    problems.install(app)
    media = media_routers(gateway)
    app.add_middleware(MediaDispatch, routers=media)
    app.add_middleware(AudienceCounter, audience=gateway.audience)
    app.add_middleware(Origins, allowed_hosts=_host_names(gateway.settings))
    app.include_router(api_router(gateway.channels, gateway.audience, gateway.membership.uplink_report))
    app.include_router(recordings_router(gateway.recordings))
    app.include_router(
        broadcasts_router(
            gateway.broadcasts, gateway.desk, gateway.channels, encoding_of(gateway.settings), gateway.desk.ffmpeg
        )
    )
    app.include_router(keys_router(gateway.keys))
    for router in media:
        app.include_router(router)
    app.include_router(ingest_router(gateway.desk, gateway.uploads))
    app.include_router(web_router())

    @app.get("/healthz", tags=["operation"], summary="Whether the gateway is up")
    async def show_health() -> Health:
        return Health(status="ok", seedcast=installed_version(), streams=len(gateway.channels))

    describe_problems(app)
    return app


def media_routers(gateway: Gateway) -> tuple[APIRouter, ...]:
    """What players ask for under /live/{stream}; the first that has a route counts."""
    watch = gateway.channels.watch
    return (
        dash_router(watch, gateway.source_time),
        continuous_router(watch, gateway.transports),
        hls_transport_router(watch, gateway.transports),
        hls_router(watch),
        timeshift_router(gateway.channels.tune),
    )


def keys_path(settings: Settings) -> Path:
    """The file of ingest keys."""
    return settings.data_dir / "ingest-keys.json"


def streams_folder(settings: Settings) -> Path:
    """Where the keys of streams lie that are broadcast from inputs."""
    return settings.data_dir / "streams"


def shelves_of(settings: Settings) -> Shelves | None:
    """Where the past of all streams is kept; None when nothing is."""
    if not settings.timeshift_s or not settings.timeshift_bytes:
        return None
    return Shelves(settings.data_dir / "timeshift", Limits(settings.timeshift_s, settings.timeshift_bytes))


def encoding_of(settings: Settings) -> Encoding:
    """How inputs are encoded and cut."""
    pace = settings.pace
    return Encoding(
        part_s=pace.part_ms / 1000,
        segment_s=pace.segment_s,
        hold_back_s=pace.hold_back_s,
        video_bps=settings.video_bitrate_bps,
        audio_bps=settings.audio_bitrate_bps,
        preset=settings.encoder_preset,
        ladder=read_ladder(settings.ladder),
        audio_rung=has_audio_rung(settings.ladder),
    )


def installed_version() -> str:
    """The package's version; "dev" in a tree that is not installed."""
    try:
        return version("seedcast")
    except PackageNotFoundError:
        return "dev"


def _host_names(settings: Settings) -> tuple[str, ...]:
    """The names by which browsers may call this gateway, besides loopback."""
    own = () if settings.host in ANY_HOST else (settings.host,)
    return (*own, *settings.allowed_hosts)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
