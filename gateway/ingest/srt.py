"""SRT pushes: one UDP port for many callers, each checked before anything is started for it.

``srt://host:port?streamid=<name>&passphrase=<key>`` never shows the key; ``?streamid=<key>`` shows it to the line, for
encoders that know no passphrase.

    caller <--> this port: who is it, does its secret hold? <--> ffmpeg's listener on loopback --> the push's bytes

Python has no SRT library that is kept up, and ffmpeg's listener takes one caller and does not tell what it asked for.
So the door reads the handshake, starts a listener for this caller alone, and from then on hands packets on as they
are: SRT itself, with its order, repeats and decryption, is libsrt's.
"""

import asyncio
import hmac
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace

from gateway.ingest import srt_handshake as handshakes
from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import IngestError, KeyBusy, PushUnusable, UnknownKey
from gateway.ingest.ffmpeg import FfmpegProcess
from gateway.ingest.keys import KeyEntry
from gateway.ingest.push_body import Line
from gateway.ingest.srt_handshake import Handshake, opens, read_handshake, resource_of
from gateway.media.errors import MediaError
from gateway.strangers import Knocks

logger = logging.getLogger(__name__)

CALLERS_MAX = 64
CHECKS_PER_S, CHECKS_PER_S_AND_ADDRESS = 50, 10
"""Handshakes whose secret is tried: each costs a millisecond."""
COOKIE_S = 60
ASK_AGAIN_S = 0.05
OPEN_WITHIN_S = 5.0
"""From a caller's being let in to its listener's answer; callers themselves wait 3 s."""
DEAF_S = 0.35
"""Without a packet for so long, a caller makes way for one that waits."""
BUFFER_BYTES = 4 << 20

Peer = tuple[str, int]


class _Inside(asyncio.DatagramProtocol):
    """The loopback side of one caller: what its listener says goes out by the port."""

    def __init__(self, call: "_Call") -> None:
        self._call = call

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._call.from_listener(data)

    def error_received(self, exc: Exception) -> None:
        """The listener is not there yet, or not any more; the call's own watch tells which."""


class _Call:
    """One caller that was let in, from its handshake to its end."""

    def __init__(self, port: "SrtPort", peer: Peer, conclusion: Handshake) -> None:
        self.conclusion = conclusion
        self._port = port
        self._peer = peer
        self._inside: asyncio.DatagramTransport | None = None
        self._cookie: int | None = None
        self._heard_s = time.monotonic()
        self._answered = asyncio.Event()

    async def open(self, number: int) -> None:
        """Reach the listener on that loopback port, as the caller would. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Inside(self), remote_addr=("127.0.0.1", number))
        self._inside = transport
        async with asyncio.timeout(OPEN_WITHIN_S):
            while not self._answered.is_set():
                if self._cookie is None:
                    transport.sendto(self.conclusion.opening().to_bytes())
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._answered.wait(), ASK_AGAIN_S)

    def close(self) -> None:
        if self._inside is not None:
            self._inside.close()

    def from_caller(self, packet: bytes) -> None:
        """The caller repeats its handshake until it is answered; all else goes through."""
        self._heard_s = time.monotonic()
        if self._inside is None:
            return
        if (shake := read_handshake(packet)) is None:
            self._inside.sendto(packet)
        elif shake.kind == handshakes.CONCLUSION and self._cookie is not None:
            self._inside.sendto(replace(shake, cookie=self._cookie).to_bytes())

    def line(self) -> Line:
        """A caller that is alive sends many packets a second, and does not say when it dies."""
        return Line.BROKEN if time.monotonic() - self._heard_s > DEAF_S else Line.UP

    def from_listener(self, packet: bytes) -> None:
        if self._answered.is_set():
            self._port.send(packet, self._peer)
        elif (shake := read_handshake(packet)) is None:
            return
        elif shake.kind == handshakes.INDUCTION:
            if self._cookie is None and self._inside is not None:
                self._cookie = shake.cookie
                self._inside.sendto(replace(self.conclusion, cookie=shake.cookie).to_bytes())
        else:
            self._answered.set()
            self._port.send(packet, self._peer)


class SrtPort(asyncio.DatagramProtocol):
    """Takes callers on one UDP socket. Of strangers nothing is kept."""

    def __init__(self, desk: IngestDesk) -> None:
        self._desk = desk
        self._secret = os.urandom(32)
        self._knocks = Knocks(per_s=CHECKS_PER_S, per_s_and_address=CHECKS_PER_S_AND_ADDRESS)
        self._transport: asyncio.DatagramTransport | None = None
        self._calls: dict[Peer, _Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self, bound: socket.socket) -> AsyncIterator[None]:
        """Until the block ends; pushes that still run end with it."""
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        self._transport = transport
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            transport.close()

    def send(self, packet: bytes, peer: Peer) -> None:
        if self._transport is not None:
            self._transport.sendto(packet, peer)

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        if (call := self._calls.get(addr)) is not None:
            call.from_caller(data)
            return
        shake = read_handshake(data)
        if shake is None:
            return
        if shake.kind == handshakes.INDUCTION:
            self.send(shake.invitation(self._cookie(addr, 0)).to_bytes(), addr)
        elif shake.kind == handshakes.CONCLUSION and self._may_ask(shake, addr):
            self._let_in(shake, addr)

    def _may_ask(self, shake: Handshake, peer: Peer) -> bool:
        """Whether this caller's last packet is looked at; one that is not comes again."""
        cookies = (self._cookie(peer, 0), self._cookie(peer, -1))
        return shake.cookie in cookies and self._knocks.allow(peer[0], time.monotonic())

    def _cookie(self, peer: Peer, shift: int) -> int:
        """Shows that the caller receives at the address that it calls from."""
        period = int(time.monotonic() / COOKIE_S) + shift
        return int.from_bytes(hmac.digest(self._secret, f"{peer[:2]} {period}".encode(), "sha256")[:4])

    def _let_in(self, shake: Handshake, peer: Peer) -> None:
        try:
            entry = self._check(shake)
        except (IngestError, MediaError) as error:
            logger.info("An SRT push is refused: %s", error)
            reason = handshakes.UNAUTHORIZED if isinstance(error, UnknownKey) else handshakes.FORBIDDEN
            self.send(shake.refusal(reason).to_bytes(), peer)
            return
        if len(self._calls) >= CALLERS_MAX:
            self.send(shake.refusal(handshakes.OVERLOADED).to_bytes(), peer)
            return
        call = self._calls[peer] = _Call(self, peer, shake)
        task = asyncio.create_task(self._serve(call, entry, peer), name="srt push")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check(self, shake: Handshake) -> KeyEntry:
        """Whose stream it is. Raises IngestError, MediaError."""
        resource = resource_of(shake.stream_id)
        if resource is None:
            raise PushUnusable("This port takes broadcasts. To watch, use the gateway's web address.")
        material = shake.key_material
        named = self._desk.named(resource) if material else None
        entry = named or self._desk.check(resource)
        if material and not opens(entry.key, material):
            raise UnknownKey
        return entry

    async def _serve(self, call: _Call, entry: KeyEntry, peer: Peer) -> None:
        try:
            async with aclosing(self._bytes(call, entry)) as body:
                await self._desk.receive(entry.key, body, line=call.line)
        except (IngestError, MediaError) as error:
            logger.info("An SRT push is refused: %s", error)
            reason = handshakes.CONFLICT if isinstance(error, KeyBusy) else handshakes.FORBIDDEN
            self.send(call.conclusion.refusal(reason).to_bytes(), peer)
        finally:
            call.close()
            del self._calls[peer]

    async def _bytes(self, call: _Call, entry: KeyEntry) -> AsyncGenerator[bytes, None]:
        """What the caller sends, in order, as its listener gives it out."""
        number = free_port()
        secret = entry.key if call.conclusion.key_material else None
        ffmpeg = await self._desk.ffmpeg()
        async with await FfmpegProcess.start(ffmpeg, listener_arguments(number, secret)) as process:
            try:
                await call.open(number)
            except TimeoutError:
                logger.warning("An SRT push did not come to be: %s", "; ".join(process.stderr[-2:]))
                return
            try:
                while data := await process.read():
                    yield data
            finally:
                process.kill()  # it has nothing to finish, and who takes over waits


def listener_arguments(number: int, secret: str | None) -> list[str]:
    """An ffmpeg that takes one SRT caller on loopback and writes what comes, untouched and without looking into it."""
    url = f"srt://127.0.0.1:{number}?mode=listener&listen_timeout={int(OPEN_WITHIN_S * 1e6)}"
    if secret:
        url += f"&passphrase={secret}"
    head = ["-hide_banner", "-nostats", "-loglevel", "warning", "-nostdin"]
    blind = ["-f", "data", "-probesize", "32", "-analyzeduration", "0", "-i", url]
    return [*head, *blind, "-map", "0:0", "-c", "copy", "-f", "data", "-flush_packets", "1", "pipe:1"]


def free_port() -> int:
    """A UDP port of loopback that nobody has at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
