"""A gateway at the end of a line whose rate the test sets: a real ladder from ffmpeg, real HTTP, and a swarm in between
that delivers each joined rendition through one queue, late when it is full, and not at all when it is very late.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Thread

from fastapi import FastAPI

from gateway import problems
from gateway.audience import Audience, AudienceCounter
from gateway.channel import Channel
from gateway.channels import Channels
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.ffmpeg import find_ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.sources import Encoding, TestSource
from gateway.ladder import has_audio_rung, read_ladder
from gateway.live.transport import TransportStreams
from gateway.on_air import Studio
from gateway.origins import Origins
from gateway.routes.api import api_router
from gateway.routes.continuous import continuous_router
from gateway.routes.dash import SourceTime, dash_router
from gateway.routes.hls import hls_router
from gateway.routes.hls_transport import hls_transport_router
from gateway.routes.web import web_router
from gateway.serving import listen, serve, url_of
from swarm.events import ManifestReady, News, PieceLost, PieceReady
from swarm.identity import Identity
from swarm.link import Link, stream_name
from swarm.manifest import Manifest, RenditionInfo
from swarm.past_keys import PastKeys
from swarm.pieces import SignedPiece
from swarm.sealer import Sealing
from swarm.status import StreamStatus
from swarm.tracker_url import TrackerUrl
from swarm.units import Address, StreamId

OWNER = Identity(b"thin line".ljust(32, b"."))
STREAM = StreamId(OWNER.key)
LADDER = ("180p", "360p", "audio")
JOIN_S = 0.3
START_S = 30.0
QUEUE_S = 2.0
"""What would come later than this is lost."""
PLENTY_BPS = 20e6
UNSIGNED = SignedPiece(b"", b"")

Hear = Callable[[News], None]


@dataclass
class ThinLine:
    """Both ends of the line in one: what is published arrives, if it was joined and fits. ``rate_bps`` may change."""

    rate_bps: float = PLENTY_BPS
    addresses: tuple[Address, ...] = ()
    trackers: tuple[TrackerUrl, ...] = ()
    joined: dict[int, float] = field(default_factory=dict)
    """Renditions that come in, and since when."""
    _hear: Hear = lambda _: None
    _manifest: Manifest | None = None
    _free_s: float = 0.0

    def join(self, link: Link, rendition: int, hear: Hear) -> None:
        self._hear = hear
        self.joined.setdefault(rendition, time.monotonic() + JOIN_S)
        self._tell_manifest()

    def leave(self, stream: StreamId, rendition: int | None = None) -> None:
        for number in list(self.joined) if rendition is None else [rendition]:
            self.joined.pop(number, None)

    def status(self, stream: StreamId, rendition: int) -> StreamStatus | None:
        return None

    def broadcast(
        self,
        owner: Identity,
        *,
        title: str,
        epoch: int,
        renditions: tuple[RenditionInfo, ...],
        sealing: Sealing | None = None,
    ) -> None:
        self._manifest = Manifest(
            stream=STREAM, epoch=epoch, revision=1, title=title, created_us=0, renditions=renditions
        )
        self._tell_manifest()

    def listen(self, stream: StreamId, hear: Hear) -> None:
        """Nobody goes back here."""

    def past_keys(self, stream: StreamId) -> PastKeys:
        """Nothing is sealed here."""
        return PastKeys()

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int]) -> None:
        """Nor here."""

    def revoke_tickets(self, stream: StreamId, serials: Collection[bytes]) -> None:
        """There are no tickets."""

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None) -> None:
        """Nor is anything lent."""

    def publish(
        self,
        stream: StreamId,
        rendition: int,
        payload: bytes,
        *,
        number: int,
        key: bool,
        capture_us: int,
        duration_us: int,
    ) -> SignedPiece:
        now = time.monotonic()
        if now < self.joined.get(rendition, float("inf")):
            return UNSIGNED
        loop = asyncio.get_running_loop()
        through_s = max(self._free_s, now) + len(payload) * 8 / self.rate_bps
        if through_s - now > QUEUE_S:
            lost = PieceLost(stream=stream, rendition=rendition, number=number)
            loop.call_later(QUEUE_S, self._tell, lost)
            return UNSIGNED
        self._free_s = through_s
        assert self._manifest is not None
        ready = PieceReady(
            stream=stream,
            rendition=rendition,
            epoch=self._manifest.epoch,
            number=number,
            key=key,
            capture_us=capture_us,
            duration_us=duration_us,
            payload=payload,
        )
        loop.call_later(through_s - now, self._tell, ready)
        return UNSIGNED

    def _tell_manifest(self) -> None:
        if self._manifest is not None and self.joined:
            manifest = self._manifest
            asyncio.get_running_loop().call_later(JOIN_S, self._tell, ManifestReady(stream=STREAM, manifest=manifest))

    def _tell(self, news: ManifestReady | PieceReady | PieceLost) -> None:
        if isinstance(news, ManifestReady) or news.rendition in self.joined:
            self._hear(news)


class Site:
    """Broadcaster, line and gateway, in a thread of their own."""

    def __init__(self) -> None:
        self.line = ThinLine()
        self.url = ""
        self._ready = Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    @property
    def stream_url(self) -> str:
        return f"{self.url}/live/{stream_name(STREAM)}"

    @property
    def playing(self) -> str:
        """The name of the rendition that auto plays."""
        info = self._channel.playing
        return info.name if info is not None else ""

    def __enter__(self) -> "Site":
        self._thread.start()
        assert self._ready.wait(START_S), "the broadcast has not begun: its thread says why"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        encoding = Encoding(ladder=read_ladder(LADDER), audio_rung=has_audio_rung(LADDER), preset="ultrafast")
        watched = Channels(self.line, window_s=30, idle_leave_s=60)
        at_source = Channels(ThinLine(), window_s=30, idle_leave_s=60)
        on_air = Studio(self.line, at_source).open(OWNER, "Thin line", lambda: 0)
        self._channel: Channel = watched.add(Link(STREAM, "Thin line"))
        cast = Broadcast(
            TestSource(title="thin line"),
            ffmpeg=find_ffmpeg(),
            encoding=encoding,
            numbering=Numbering(unix_s=time.time(), piece_s=encoding.part_s, segment_s=encoding.segment_s),
            on_description=on_air.description,
            on_piece=on_air.piece,
        )
        tasks = [asyncio.create_task(cast.run()), asyncio.create_task(watched.sweep())]
        with closing(listen("127.0.0.1", 0)) as listener:
            self.url = url_of(listener)
            await on_air.started.wait()
            self._ready.set()
            await serve(_app(watched), listener, self._stop, on_stop=watched.close)
        await cast.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _app(channels: Channels) -> FastAPI:
    app = FastAPI()
    audience = Audience()
    problems.install(app)
    app.add_middleware(AudienceCounter, audience=audience)
    app.add_middleware(partial(Origins, allowed_hosts=()))
    app.include_router(api_router(channels, audience, lambda: None, lambda _: []))
    transports = TransportStreams(segment_s=2.0)
    app.include_router(continuous_router(channels.watch, transports))
    app.include_router(hls_transport_router(channels.watch, transports))
    app.include_router(dash_router(channels.watch, lambda _: SourceTime(now_us=time.time_ns() // 1000, delay_s=None)))
    app.include_router(hls_router(channels.watch))
    app.include_router(web_router())
    return app
