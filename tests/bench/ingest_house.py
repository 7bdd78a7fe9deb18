"""A whole gateway in a thread, watched from inside: when a push's first key frame came, when its pieces were signed.

A key frame is seen where its bytes come in: in the body of a request, in what RTMP messages hold, and for SRT, which is
encrypted, at the first packet of data, with which a sender that has just begun sends its first key frame.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request

from gateway.app import Gateway
from gateway.commands.ingest_ports import ingest_ports
from gateway.commands.serve import running_gateway
from gateway.ingest.errors import FfmpegMissing, PushRefused
from gateway.ingest.rtmp import RtmpPort
from gateway.ingest.srt import SrtPort
from gateway.ingest.standby import Cue
from gateway.ingest.webrtc.intake import Intake
from gateway.media.errors import MediaError
from gateway.settings import load_settings
from swarm.pieces import SignedPiece

READY_S = 30.0
PUSH_WAIT_S = 30.0
BEGINNING_S = 1.0
CONTROL_PACKET = 0x80


class KeyFrame:
    """Fed with what one connection brings: whether there was a key frame, or a fragment of MP4, in it yet."""

    def __init__(self) -> None:
        self._cue = Cue()
        self._tail = b""
        self.seen = False

    def feed(self, data: bytes) -> bool:
        if not self.seen:
            self.seen = b"moof" in self._tail + data
            self._tail = (self._tail + data)[-3:]
            with suppress(MediaError, PushRefused):  # a playlist, say
                self._cue.feed(data)
                self.seen = self.seen or self._cue.ready
        return self.seen


class House:
    """The gateway, and what was seen of the push since `begin`. Seconds of the monotonic clock."""

    def __init__(self, folder: Path) -> None:
        rtmp = free_port(socket.SOCK_STREAM)
        srt, whip = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        self._settings = load_settings(
            port=0, rtmp_port=rtmp, srt_port=srt, whip_port=whip, data_dir=folder, swarm_host="127.0.0.1",
            log_level="error", timeshift_s=0,
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._news = threading.Condition()
        self.url = ""
        self.key_s: float | None = None
        self.pieces: list[tuple[float, float]] = []
        self.gateway: Gateway | None = None
        self.client = httpx.Client(trust_env=False, timeout=30)

    def __enter__(self) -> "House":
        self._thread.start()
        assert self._ready.wait(READY_S), "the gateway did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    def addresses(self, name: str) -> dict[str, str]:
        """Where to push to with a new key of that name."""
        key = self.client.post(f"{self.url}/api/v1/keys", json={"name": name}).json()["key"]
        return {
            "http": f"{self.url}/ingest/{key}",
            "rtmp": f"rtmp://127.0.0.1:{self._settings.rtmp_port}/live/{key}",
            "srt": f"srt://127.0.0.1:{self._settings.srt_port}?streamid={name}&passphrase={key}",
            "whip": f"{self.url}/whip/{key}",
        }

    def begin(self) -> float:
        """Forget what was seen; now."""
        with self._news:
            self.key_s, self.pieces = None, []
        return time.monotonic()

    def wait_for_pieces(self, count: int, within_s: float = PUSH_WAIT_S) -> bool:
        with self._news:
            return self._news.wait_for(lambda: len(self.pieces) >= count, within_s)

    def late_s(self) -> list[float]:
        """How late pieces were signed after their last frame, once the beginning is over."""
        begun_s = self.pieces[0][0]
        return [late_s for at_s, late_s in self.pieces if at_s > begun_s + BEGINNING_S]

    def broadcasts(self) -> list[dict[str, Any]]:
        return list(self.client.get(f"{self.url}/api/v1/broadcasts").json())

    def see_key(self) -> None:
        with self._news:
            self.key_s = self.key_s or time.monotonic()

    async def _serve(self) -> None:
        async with running_gateway(self._settings, self._stop) as (gateway, url), ingest_ports(gateway):
            self.gateway, self.url = gateway, url.replace("localhost", "127.0.0.1")
            self._watch_signing(gateway)
            _watch_arrivals(self)
            with suppress(FfmpegMissing):
                await gateway.desk.ffmpeg()
            self._ready.set()
            await self._stop.wait()

    def _watch_signing(self, gateway: Gateway) -> None:
        publish: Callable[..., SignedPiece] = gateway.membership.publish

        def timed(*arguments: object, capture_us: int, duration_us: int, **named: object) -> SignedPiece:
            signed = publish(*arguments, capture_us=capture_us, duration_us=duration_us, **named)
            late_s = time.time() - (capture_us + duration_us) / 1e6
            with self._news:
                self.pieces.append((time.monotonic(), late_s))
                self._news.notify_all()
            return signed

        gateway.membership.publish = timed  # type: ignore[method-assign]


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _watch_arrivals(house: House) -> None:
    """Look into everything that comes in, before the gateway does."""
    stream, media, datagram = Request.stream, RtmpPort._media, SrtPort.datagram_received
    packet = Intake.receive_rtp

    def watched_stream(request: Request) -> AsyncIterator[bytes]:
        body = stream(request)
        return _noting(house, body) if request.url.path.startswith("/ingest/") else body

    def watched_media(port: RtmpPort, *arguments: Any) -> AsyncIterator[bytes]:
        return _noting(house, media(port, *arguments))

    def watched_datagram(port: SrtPort, data: bytes, addr: Any) -> None:
        if data and not data[0] & CONTROL_PACKET:
            house.see_key()
        datagram(port, data, addr)

    def watched_packet(intake: Intake, data: bytes, now: float) -> None:
        house.see_key()
        packet(intake, data, now)

    Intake.receive_rtp = watched_packet  # type: ignore[assignment,method-assign]
    Request.stream = watched_stream  # type: ignore[assignment,method-assign]
    RtmpPort._media = watched_media  # type: ignore[assignment,method-assign]
    SrtPort.datagram_received = watched_datagram  # type: ignore[assignment,method-assign]


async def _noting(house: House, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Hands the body on; reads it as it comes, whether or not the gateway asks for it already."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pump() -> None:
        key = KeyFrame()
        try:
            async for data in body:
                if not key.seen and key.feed(data):
                    house.see_key()
                queue.put_nowait(data)
        finally:
            queue.put_nowait(None)

    pumping = asyncio.create_task(pump())
    try:
        while (data := await queue.get()) is not None:
            yield data
        await pumping
    finally:
        pumping.cancel()
