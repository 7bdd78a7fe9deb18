"""Puts the gateway together: settings in, an ASGI application out. The only place that knows all the parts.

Gateway      what one process runs: the node and its driver, the channels, the ingest
web_app      the HTTP side of a gateway; its lifespan starts and stops it
create_app   both at once
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from gateway import problems, refusals
from gateway.audience import Audience, AudienceCounter
from gateway.blocklists import Blocklists
from gateway.broadcasts import Broadcasts, admission_of
from gateway.channel import Channel
from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.graveyard import Graveyard
from gateway.ingest.desk import IngestDesk
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.ingest.sources import Encoding
from gateway.ingest.uploads import Uploads
from gateway.ingest.whip import Whip
from gateway.key_files import peer_key, viewer_secret
from gateway.ladder import has_audio_rung, read_ladder
from gateway.live.transport import TransportStreams
from gateway.membership import quic_membership
from gateway.on_air import OnAir, Studio
from gateway.openapi import describe_problems
from gateway.origins import Origins
from gateway.owners import find_owner
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
from gateway.routes.tickets import tickets_router
from gateway.routes.timeshift import timeshift_router
from gateway.routes.tracker import tracker_router
from gateway.routes.trackers import trackers_router
from gateway.routes.web import web_router
from gateway.routes.whip import whip_router
from gateway.seals import find_seal
from gateway.settings import Settings
from gateway.ticket_book import TicketBook
from gateway.timeshift.shelf import Limits
from gateway.timeshift.shelves import Shelves
from gateway.tracker.desk import TrackerDesk
from gateway.tracker.place import own_tracker
from gateway.webhooks import Event, Webhooks
from gateway.whereabouts import ANYWHERE
from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.link import TRACKERS_MAX, stream_target
from swarm.pasted import find_link
from swarm.tombstone import Tombstone
from swarm.tracker_url import parse_tracker
from swarm.units import Address, StreamId

LOOK_EVERY_S = 1.0
"""How soon a tombstone is found that another command has made."""


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
        self._seal = seal = find_seal(settings.key_passphrase_file, os.environ)
        self.keys = IngestKeys(keys_path(settings), seal)
        self.audience = Audience()
        self._key = peer_key(settings.data_dir, seal)
        self.membership = quic_membership(settings, self._key.identity, seal)
        self._shelves = shelves_of(settings)
        self.graveyard = Graveyard(tombstones_folder(settings))
        self._over: dict[StreamId, Tombstone] = {}
        self.membership.on_buried = self._remember_end
        self.blocklists = Blocklists(settings.blocklists, settings.data_dir / "blocklists")
        self.channels = Channels(
            self.membership,
            window_s=settings.window_s,
            idle_leave_s=settings.idle_leave_s,
            shelves=self._shelves,
            refuse=self.refuse,
        )
        self.transports = TransportStreams(settings.ts_segment_s)
        self.recordings = Recordings(settings.data_dir / "recordings", self.channels, self.transports)
        self.webhooks = Webhooks(settings.webhooks)
        self.tickets = TicketBook(tickets_path(settings))
        self.studio = Studio(
            self.membership,
            self.channels,
            self._tell,
            rotation_s=settings.key_rotation_s,
            revoked=lambda stream: self.tickets.revoked(stream, time.time()),
        )
        self.desk = IngestDesk(
            self.keys,
            self._on_air,
            encoding=encoding_of(settings),
            idle_s=settings.ingest_idle_s,
            linger_s=settings.ingest_linger_s,
            slate=settings.slate,
        )
        self.uploads = Uploads(self.desk)
        self.whip = Whip(self.desk, advertised=[address.host for address in settings.advertised(1)])
        self.broadcasts = Broadcasts(streams_folder(settings), self.studio, seal)
        self.tracker = TrackerDesk(
            self._targets, is_open=settings.tracker == "open", rng=random.Random(), clock=time.monotonic
        )
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
            self._name_tracker()
            stack.callback(self.channels.close)
            stack.push_async_callback(self.recordings.close)
            stack.push_async_callback(self.broadcasts.close)
            stack.callback(self.desk.close)
            stack.push_async_callback(self.desk.take_slates_down)
            stack.push_async_callback(self.uploads.close)
            for name, work in (
                ("ingest desk", self.desk.prepare()),
                ("sweeper", self.channels.sweep()),
                ("graveyard", self._look_for_tombstones()),
                ("blocklists", self.blocklists.keep_fresh(self.settings.blocklist_refresh_s)),
            ):
                stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))
            yield

    def refuse(self, stream: StreamId) -> None:
        """Raises Problem for a stream that its owner has ended for good, or that the user's lists block."""
        if stream in self._over:
            raise refusals.gone(self._over[stream].reason)
        if (reason := self.blocklists.reason(stream)) is not None:
            raise refusals.blocked(reason)

    async def _look_for_tombstones(self) -> None:
        """Those of former days, and those that other commands put there while this process runs."""
        while True:
            for tombstone in self.graveyard.look():
                self._over[tombstone.stream] = tombstone
                self.membership.bury(tombstone)
            await asyncio.sleep(LOOK_EVERY_S)

    def _remember_end(self, tombstone: Tombstone) -> None:
        if tombstone.stream not in self._over:
            self._over[tombstone.stream] = tombstone
            self.graveyard.put(tombstone)

    def _on_air(self, entry: KeyEntry) -> OnAir:
        """Where the pieces of a push go: its key stands for one stream."""
        owner, title = Identity(entry.seed), entry.title or entry.name
        admission = admission_of(private=entry.private, password=False, tickets=entry.tickets)
        return self.studio.open(owner, title, lambda: self.desk.bitrate_bps(entry), admission=admission)

    def owner_of(self, stream: StreamId) -> Identity:
        """The secret key of a stream of this machine. Raises CannotStart."""
        return find_owner(streams_folder(self.settings), self.keys, stream, self._seal)

    def viewer_secret(self) -> bytes:
        """Of the key that tickets for this machine name. Raises CannotStart."""
        return viewer_secret(self.settings.data_dir, self._seal)

    def _tell(self, event: Event, channel: Channel) -> None:
        self.webhooks.tell(event, stream=channel.name, title=channel.title, link=channel.public_link)

    def _targets(self) -> dict[bytes, tuple[Address, ...]]:
        """What the gateway's own tracker serves: the streams known here, and this node where it is their source; none
        that is over for good or blocked."""
        own = self.membership.addresses
        served = [
            channel
            for channel in self.channels.all()
            if channel.stream not in self._over and self.blocklists.reason(channel.stream) is None
        ]
        return {stream_target(channel.stream): own if channel.is_local else () for channel in served}

    def _name_tracker(self) -> None:
        """Links to streams of this gateway name its own tracker first, if others can reach it."""
        own = own_tracker(self.settings, self.membership.addresses)
        if own is not None:
            self.membership.trackers = (own, *self.membership.trackers)[:TRACKERS_MAX]

    def _add(self, text: str) -> None:
        try:
            self.channels.add(find_link(text))
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
    tracker = () if gateway.settings.tracker == "off" else (tracker_router(gateway.tracker),)
    app.add_middleware(MediaDispatch, routers=(*media, *tracker))
    app.add_middleware(AudienceCounter, audience=gateway.audience)
    app.add_middleware(Origins, allowed_hosts=_host_names(gateway.settings))
    membership = gateway.membership
    app.include_router(api_router(gateway.channels, gateway.audience, membership.uplink_report, membership.progress))
    app.include_router(trackers_router(gateway.channels, membership.tracker_states, membership.count_viewers))
    app.include_router(recordings_router(gateway.recordings))
    app.include_router(
        broadcasts_router(
            gateway.broadcasts, gateway.desk, gateway.channels, encoding_of(gateway.settings), gateway.desk.ffmpeg
        )
    )
    app.include_router(keys_router(gateway.keys))
    app.include_router(tickets_router(gateway.tickets, gateway.channels, gateway.owner_of, gateway.viewer_secret))
    for router in media:
        app.include_router(router)
    app.include_router(ingest_router(gateway.desk, gateway.uploads))
    app.include_router(whip_router(gateway.whip))
    for router in tracker:
        app.include_router(router)
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


def tickets_path(settings: Settings) -> Path:
    """The file of the tickets that were given out here."""
    return settings.data_dir / "tickets.json"


def tombstones_folder(settings: Settings) -> Path:
    """Where the proofs lie that streams are over for good."""
    return settings.data_dir / "tombstones"


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
        copy_codecs=settings.copy_codecs,
        encode_long_gop=settings.encode_long_gop,
        encoder=settings.encoder,
    )


def installed_version() -> str:
    """The package's version; "dev" in a tree that is not installed."""
    try:
        return version("seedcast")
    except PackageNotFoundError:
        return "dev"


def _host_names(settings: Settings) -> tuple[str, ...]:
    """The names by which browsers may call this gateway, besides loopback."""
    own = () if settings.host in ANYWHERE else (settings.host,)
    tracker = (parse_tracker(settings.tracker_url).host,) if settings.tracker_url else ()
    return (*own, *tracker, *settings.allowed_hosts)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
