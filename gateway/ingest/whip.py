"""WHIP pushes (RFC 9725): what browsers and OBS send by WebRTC, all by one UDP port.

    offer by HTTP --> a session: its name and password for ICE --> STUN, DTLS, SRTP by UDP --> the push's bytes

The gateway is an ICE agent that only answers (RFC 8445 section 2.5): it sends nothing to an address from which nobody
has shown the session's password, looks at no candidate of the sender's, and asks no server who it is.
"""

import asyncio
import hmac
import logging
import secrets
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import (
    IngestError,
    KeyBusy,
    NotTransportStream,
    PushUnusable,
    SessionGone,
    SessionsFull,
    WhipMissing,
    WhipOff,
)
from gateway.ingest.keys import KeyEntry
from gateway.ingest.webrtc import stun
from gateway.ingest.webrtc.dtls import INSTALLED, Certificate, SecureLine
from gateway.ingest.webrtc.intake import CUT, Intake
from gateway.ingest.webrtc.rtp import is_rtcp
from gateway.ingest.webrtc.sdp import Endpoint, Offer, Terms, choose, make_answer, read_offer
from gateway.media.errors import MediaError

logger = logging.getLogger(__name__)

SESSIONS_MAX = 64
SESSIONS_PER_KEY_MAX = 3
"""One on air, one that waits to take over, one that is about to be noticed as gone."""
CONNECT_WITHIN_S = 10.0
BEAT_S = 0.02
SAY_AGAIN_S = 0.04
"""ffmpeg looks at the first word of DTLS, and throws it away."""
PEERS_MAX = 8
"""Addresses from which one sender has shown the password: its interfaces, as it tries them."""
SILENT_S = 0.4
"""Of a sender that says something 25 times a second, and whose end no connection tells."""
QUEUE_BYTES_MAX = 16 << 20
BUFFER_BYTES = 4 << 20
ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
DTLS_FIRST_BYTES = range(20, 64)
RTP_FIRST_BYTES = range(128, 192)
"""How the protocols on one port are told apart (RFC 7983 section 7)."""

Peer = tuple[str, int]


class Session:
    """One sender, from its offer to its end."""

    def __init__(
        self, entry: KeyEntry, offer: Offer, terms: Terms, certificate: Certificate, *, key_every_s: float
    ) -> None:
        self.entry = entry
        self.number = secrets.token_urlsafe(24)
        self.etag = f'"{secrets.token_urlsafe(9)}"'
        self.ice_name = secrets.token_hex(8)
        self.ice_password = secrets.token_urlsafe(24).replace("-", "+").replace("_", "/")
        self.peer_ice_name = offer.ice_name
        self.peer: Peer | None = None
        self.peers: set[Peer] = set()
        self.intake = Intake(terms, key_every_s=key_every_s)
        # Who is told to begin in the offer as "passive" waits for us.
        client = offer.setup == "passive"
        self.line = SecureLine(certificate, fingerprint=offer.fingerprint, client=client)
        self._started = False
        self._hello_s: float | None = None
        self.connected = asyncio.Event()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queued_bytes = 0
        self._failure: IngestError | None = None
        self._cut = False
        self._ended = False

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self._ended

    def end(self, failure: IngestError | None = None) -> None:
        """Take nothing more; ``failure`` is what the push ends with."""
        if not self._ended:
            self._ended, self._failure = True, failure
            self.line.close()
            self._queue.put_nowait(None)
            self.connected.set()

    def start(self, now: float) -> None:
        """The sender has chosen its way here."""
        if not self._started:
            self._started, self._hello_s = True, now
            self.line.start()

    def handle_timer(self, now: float) -> None:
        """To be called often. Raises PushUnusable."""
        if self._hello_s is not None and now - self._hello_s >= SAY_AGAIN_S:
            self._hello_s = None
            self.line.say_again()
        self.line.handle_timer()
        if self.line.is_open:
            self.intake.handle_timer(now)

    def put(self, chunks: Sequence[bytes]) -> None:
        """Chunks of the stream, in order. A session of which too much waits to be taken ends."""
        for chunk in chunks:
            self._queued_bytes += len(chunk)
            self._queue.put_nowait(chunk)
        if self._queued_bytes > QUEUE_BYTES_MAX:
            self.end(PushUnusable("It comes faster than this machine can put it on air. Lower its bitrate."))

    @property
    def was_cut(self) -> bool:
        """The newest `stream` has come to its end, and another follows."""
        return self._cut and not self._ended

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The bytes of one stream: to `CUT`, or to the end. Raises what the session was ended with."""
        self._cut = False
        while (chunk := await self._queue.get()) is not None:
            self._queued_bytes -= len(chunk)
            if chunk == CUT:
                self._cut = True
                return
            yield chunk
        if self._failure is not None:
            raise self._failure


class Whip(asyncio.DatagramProtocol):
    """Takes offers, and the senders' packets on one UDP socket. Of strangers nothing is kept."""

    def __init__(
        self, desk: IngestDesk, *, advertised: Sequence[str] = (), connect_within_s: float = CONNECT_WITHIN_S
    ) -> None:
        """``advertised``: addresses by which this machine is reached, besides the one that was asked."""
        self._desk = desk
        self._advertised = tuple(advertised)
        self._connect_within_s = connect_within_s
        self._transport: asyncio.DatagramTransport | None = None
        self._bound: Peer = ("", 0)
        self._certificate: Certificate | None = None
        self._by_name: dict[str, Session] = {}
        self._by_peer: dict[Peer, Session] = {}
        self._sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sessions(self) -> int:
        """How many there are."""
        return len(self._sessions)

    @asynccontextmanager
    async def serving(self, bound: socket.socket) -> AsyncIterator[None]:
        """Until the block ends; pushes that still run end with it."""
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)
        self._transport, self._bound = transport, bound.getsockname()[:2]
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            # A task that was cancelled before its first step has not cleaned up.
            for session in list(self._sessions.values()):
                self._forget(session)
            self._transport = None
            transport.close()

    def open(self, key: str, text: str, host: str) -> tuple[Session, str]:
        """A session for an offer, and the answer to it; ``host`` is the address at which the offer came in.

        Raises PushRefused, KeyFileBroken.
        """
        entry = self._desk.check(key)
        if not INSTALLED:
            raise WhipMissing
        if self._transport is None:
            raise WhipOff
        offer = read_offer(text)
        terms = choose(offer)
        if self._desk.is_crowded(entry) or self._count(entry) >= SESSIONS_PER_KEY_MAX:
            raise KeyBusy
        if len(self._sessions) >= SESSIONS_MAX:
            raise SessionsFull
        self._certificate = self._certificate or Certificate()
        session = Session(entry, offer, terms, self._certificate, key_every_s=self._desk.segment_s)
        endpoint = Endpoint(
            number=secrets.randbits(62),
            ice_name=session.ice_name,
            ice_password=session.ice_password,
            fingerprint=self._certificate.fingerprint,
            addresses=self._addresses(host),
        )
        answer = make_answer(offer, terms, endpoint)
        self._sessions[session.number] = self._by_name[session.ice_name] = session
        task = asyncio.create_task(self._serve(session), name="whip push")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session, answer

    def find(self, number: str) -> Session:
        """Raises SessionGone."""
        for other, session in self._sessions.items():
            if hmac.compare_digest(other.encode(), number.encode()):
                return session
        raise SessionGone

    def end(self, session: Session) -> None:
        """The sender says that it has ended."""
        session.end()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        peer = (str(addr[0]), int(addr[1]))
        if not data:
            return
        if (request := stun.read_request(data)) is not None:
            self._check(request, peer)
            return
        session = self._by_peer.get(peer)
        if session is None or session.ended:
            return
        if data[0] in DTLS_FIRST_BYTES:
            session.line.receive(data)
            if session.line.is_open:
                session.connected.set()
        elif data[0] in RTP_FIRST_BYTES:
            self._receive_media(session, data)
        self._flush(session)

    def _check(self, request: stun.BindingRequest, peer: Peer) -> None:
        """Somebody looks whether it reaches a session here."""
        session = self._by_name.get(request.session)
        if session is None or session.ended or not request.is_from(session.ice_password):
            return
        if peer not in session.peers:
            if len(session.peers) >= PEERS_MAX or not self._may_take(session, peer):
                return
            session.peers.add(peer)
            self._by_peer[peer] = session
        self._send(stun.make_success(request, peer, session.ice_password), peer)
        if request.chosen or session.peer is None:
            session.peer = peer
        if request.chosen:
            session.start(time.monotonic())
            self._flush(session)

    def _may_take(self, session: Session, peer: Peer) -> bool:
        """An address belongs to one session; a sender that was started again has it from its former one."""
        other = self._by_peer.get(peer)
        if other is not None and not other.ended and other.entry.key != session.entry.key:
            return False
        if other is not None:
            other.peers.discard(peer)
            other.peer = None if other.peer == peer else other.peer
        return True

    def _receive_media(self, session: Session, data: bytes) -> None:
        now = time.monotonic()
        try:
            if is_rtcp(data):
                if (control := session.line.unprotect_control(data)) is not None:
                    session.intake.receive_rtcp(control, now)
            elif (packet := session.line.unprotect(data)) is not None:
                session.intake.receive_rtp(packet, now)
        except IngestError as error:
            session.end(error)

    def _flush(self, session: Session) -> None:
        """What a call has led to: to the sender, and to the desk."""
        peer = session.peer
        session.put(session.intake.chunks())
        if peer is not None:
            for datagram in session.line.outgoing():
                self._send(datagram, peer)
            answers = session.intake.answers()
            if session.line.is_open:
                for answer in answers:
                    self._send(session.line.protect_control(answer), peer)
        if session.line.closed or session.intake.ended:
            session.end()

    def _send(self, data: bytes, peer: Peer) -> None:
        if self._transport is not None:
            self._transport.sendto(data, peer)

    async def _serve(self, session: Session) -> None:
        beating = asyncio.create_task(self._beat(session))
        try:
            async with asyncio.timeout(self._connect_within_s):
                await session.connected.wait()
            while not session.ended:
                await self._put_on_air(session)
        except TimeoutError:
            logger.info("A WHIP push did not come to be: its sender did not connect")
        except (IngestError, MediaError) as error:
            logger.info("A WHIP push is refused: %s", error)
        finally:
            beating.cancel()
            session.end()
            self._flush(session)
            self._forget(session)

    async def _put_on_air(self, session: Session) -> None:
        """One stream of it. Raises PushRefused, MediaError, KeyFileBroken, FfmpegMissing."""
        try:
            async with aclosing(session.stream()) as body:
                # Whoever sends by WebRTC has no choice but Opus, which televisions and Apple's players do not take.
                await self._desk.receive(session.entry.key, body, silent_s=SILENT_S, not_copied=("opus",))
        except (PushUnusable, NotTransportStream):
            # A stream that was cut after a moment has nothing to show; what it was cut for comes next.
            if not session.was_cut:
                raise

    async def _beat(self, session: Session) -> None:
        """What time alone brings: handshakes repeated, packets given up, reports."""
        while not session.ended:
            await asyncio.sleep(BEAT_S)
            try:
                session.handle_timer(time.monotonic())
            except IngestError as error:
                session.end(error)
            self._flush(session)

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.number, None)
        self._by_name.pop(session.ice_name, None)
        for peer in session.peers:
            self._by_peer.pop(peer, None)

    def _count(self, entry: KeyEntry) -> int:
        return sum(session.entry.key == entry.key for session in self._sessions.values())

    def _addresses(self, host: str) -> tuple[Peer, ...]:
        """Where senders reach the port: where it listens, or else where they have reached the gateway."""
        bound, port = self._bound
        hosts = [bound] if bound not in ANY else [host, *self._advertised]
        return tuple((name, port) for name in dict.fromkeys(hosts)) or ((bound, port),)
