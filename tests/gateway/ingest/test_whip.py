"""WHIP's UDP port, with a small sender of our own: who gets in, what comes out, and how it ends."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import pytest

from gateway.commands.ingest_ports import bind
from gateway.ingest import push_body
from gateway.ingest import whip as whip_module
from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import (
    KeyBusy,
    PushRefused,
    PushUnusable,
    SessionGone,
    SessionsFull,
    UnknownKey,
    WhipMissing,
    WhipOff,
)
from gateway.ingest.keys import IngestKeys
from gateway.ingest.push import PushReport
from gateway.ingest.push_body import Line, always_up
from gateway.ingest.webrtc.dtls import Certificate, SecureLine
from gateway.ingest.webrtc.rtp import RtpPacket
from gateway.ingest.whip import SESSIONS_PER_KEY_MAX, Session, Whip
from tests.gateway.ingest.streams import Listener
from tests.gateway.ingest.webrtc.offers import FINGERPRINT, ffmpeg_offer, obs_offer
from tests.gateway.ingest.webrtc.sender import OTHER_SETS, Camera, Microphone, binding_request, rtp_bytes

WAIT_S = 20.0
OFFERS = {"active": obs_offer, "passive": ffmpeg_offer}


class Gatherer(IngestDesk):
    """Keeps what it is given in place of putting it on air."""

    def __init__(self, keys: IngestKeys) -> None:
        super().__init__(keys, lambda _: Listener())
        self.streams: list[bytes] = []
        self.failures: list[PushRefused] = []
        self.changed = asyncio.Event()
        self.least_bytes = 0

    async def receive(
        self,
        key: str,
        body: AsyncIterator[bytes],
        *,
        line: Callable[[], Line] = always_up,
        silent_s: float = push_body.SILENT_S,
        not_copied: Collection[str] = (),
    ) -> PushReport:
        assert silent_s < push_body.SILENT_S, "no connection tells of its end, and it sends all the time"
        assert "opus" in not_copied, "it is encoded, for players that do not take it"
        self.streams.append(b"")
        try:
            async for data in body:
                self.streams[-1] += data
                self.changed.set()
        except PushRefused as refusal:
            self.failures.append(refusal)
            raise
        finally:
            self.changed.set()
        if len(self.streams[-1]) < self.least_bytes:
            raise PushUnusable("No picture came that could be shown.")
        return PushReport(seconds=0, size_bytes=len(self.streams[-1]), pieces=1)

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not enough():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Site:
    whip: Whip
    desk: Gatherer
    key: str
    port: int

    def open(self, text: str) -> tuple[Session, str]:
        return self.whip.open(self.key, text, "127.0.0.1")

    async def until_gone(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.whip.sessions:  # noqa: ASYNC110 - a session has no event for being forgotten
                await asyncio.sleep(0.01)


def at_site(visit: Callable[[Site], Coroutine[None, None, None]], *, connect_within_s: float = 10.0) -> None:
    async def run() -> None:
        keys = IngestKeys()
        desk = Gatherer(keys)
        whip = Whip(desk, connect_within_s=connect_within_s)
        with closing(bind("127.0.0.1", 0)) as bound:
            port = bound.getsockname()[1]
            async with whip.serving(bound):
                await visit(Site(whip, desk, keys.add("studio").key, port))
        assert whip.sessions == 0

    asyncio.run(run())


class Sender(asyncio.DatagramProtocol):
    """The other side: one UDP socket, DTLS in the role that its offer has, and packets sent as they are given."""

    def __init__(self, role: str) -> None:
        self.certificate = Certificate()
        self.offer = OFFERS[role]().replace(FINGERPRINT, self.certificate.fingerprint)
        self._client = role == "active"
        self.heard: list[bytes] = []
        self.came = asyncio.Event()

    def read(self, answer: str) -> None:
        told = dict(line[2:].split(":", 1) for line in answer.split("\r\n") if line.startswith("a=") and ":" in line)
        self.name, self.password = told["ice-ufrag"], told["ice-pwd"]
        fingerprint = told["fingerprint"].removeprefix("sha-256 ")
        self.line = SecureLine(self.certificate, fingerprint=fingerprint, client=self._client)

    @asynccontextmanager
    async def connected(self, site: Site, answer: str) -> AsyncIterator[None]:
        self.read(answer)
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=("127.0.0.1", site.port))
        try:
            yield
        finally:
            self.transport.close()

    def check(self, *, chosen: bool = True, password: str = "") -> bytes:
        """Its transaction, by which the answer is known."""
        transaction = os.urandom(12)
        request = binding_request(f"{self.name}:theirs", password or self.password, transaction, chosen=chosen)
        self.transport.sendto(request)
        return transaction

    async def shake_hands(self) -> None:
        self.check()
        await self.until(lambda: bool(self.heard))
        self.line.start()
        self._flush()
        await self.until(lambda: self.line.is_open)

    def send(self, packets: list[RtpPacket]) -> None:
        outgoing = self.line._outgoing
        assert outgoing is not None
        for packet in packets:
            self.transport.sendto(outgoing.protect(rtp_bytes(packet)))

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not enough():
                self.came.clear()
                await self.came.wait()

    def controls(self) -> list[bytes]:
        """The RTCP that has come, opened."""
        return [data for data in self.heard if data[:1] == b"\x80" or data[:1] == b"\x81"]

    def datagram_received(self, data: bytes, addr: object) -> None:
        if 20 <= data[0] < 64:
            self.line.receive(data)
        elif data[0] >= 128 and (opened := self.line.unprotect_control(data)) is not None:
            data = opened
        self.heard.append(data)
        self._flush()
        self.came.set()

    def _flush(self) -> None:
        for datagram in self.line.outgoing():
            self.transport.sendto(datagram)


@asynccontextmanager
async def connected_sender(site: Site) -> AsyncIterator[Sender]:
    """One whose handshake is done."""
    sender = Sender("active")
    _, answer = site.open(sender.offer)
    async with sender.connected(site, answer):
        await sender.shake_hands()
        yield sender


@pytest.mark.parametrize("role", ["active", "passive"])
def test_what_a_sender_sends_becomes_a_transport_stream(role: str) -> None:
    async def visit(site: Site) -> None:
        sender = Sender(role)
        session, answer = site.open(sender.offer)
        async with sender.connected(site, answer):
            await sender.shake_hands()
            camera = Camera(payload_type=96 if role == "active" else 106)
            sender.send(camera.picture())
            # A key frame is asked for as soon as anything has come.
            await sender.until(lambda: any(data[1] == 206 for data in sender.controls()))
            sender.send([*camera.picture(key=True), Microphone().packet()])
            await site.desk.until(lambda: any(site.desk.streams))
            assert site.desk.streams[0][:1] == b"\x47"
            site.whip.end(session)
            await site.until_gone()
            with pytest.raises(SessionGone):
                site.whip.find(session.number)

    at_site(visit)


def test_who_does_not_know_the_password_is_not_answered() -> None:
    async def visit(site: Site) -> None:
        sender = Sender("active")
        _, answer = site.open(sender.offer)
        async with sender.connected(site, answer):
            sender.check(password="another password 123456")
            sender.transport.sendto(b"\x16\xfe\xfd" + bytes(40))
            sender.transport.sendto(b"\x80\x60" + bytes(40))
            sender.name, name = "nobody", sender.name
            sender.check()
            sender.name = name
            last = sender.check(chosen=False)
            await sender.until(lambda: bool(sender.heard))
            # Only the last was answered: what came before it has been seen to.
            assert [(data[:2], data[8:20]) for data in sender.heard] == [(b"\x01\x01", last)]

    at_site(visit)


def test_another_certificate_than_was_offered_ends_it() -> None:
    async def visit(site: Site) -> None:
        sender = Sender("active")
        _, answer = site.open(sender.offer)
        async with sender.connected(site, answer):
            sender.certificate = Certificate()
            sender.line = SecureLine(sender.certificate, fingerprint=sender.line._fingerprint, client=True)
            sender.check()
            await sender.until(lambda: bool(sender.heard))
            sender.line.start()
            sender._flush()
            await site.until_gone()
            assert site.desk.streams == []

    at_site(visit)


def test_a_sender_that_says_good_bye_has_ended() -> None:
    async def visit(site: Site) -> None:
        async with connected_sender(site) as sender:
            sender.line.close()
            sender._flush()
            await site.until_gone()

    at_site(visit)


def test_a_sender_that_begins_anew_at_its_old_address_is_heard() -> None:
    async def visit(site: Site) -> None:
        sender = Sender("active")
        former, answer = site.open(sender.offer)
        async with sender.connected(site, answer):
            await sender.shake_hands()
            again, answer = site.open(sender.offer)
            sender.read(answer)
            sender.heard.clear()
            await sender.shake_hands()
            sender.send([*Camera().picture(key=True), Microphone().packet()])
            await site.desk.until(lambda: any(site.desk.streams))
            assert again.peers
            assert not former.peers
            assert former.peer is None
            stranger = site.desk._keys.add("other").key
            foreign, answer = site.whip.open(stranger, sender.offer, "127.0.0.1")
            sender.read(answer)
            sender.check()
            sender.transport.sendto(binding_request(f"{again.ice_name}:theirs", again.ice_password, os.urandom(12)))
            sender.heard.clear()
            await sender.until(lambda: bool(sender.heard))
            assert foreign.peer is None

    at_site(visit)


def test_a_sender_that_does_not_connect_is_forgotten() -> None:
    async def visit(site: Site) -> None:
        site.open(obs_offer())
        await site.until_gone()
        assert site.desk.streams == []

    at_site(visit, connect_within_s=0.05)


def test_a_picture_of_another_size_is_a_push_of_its_own() -> None:
    async def visit(site: Site) -> None:
        async with connected_sender(site) as sender:
            camera = Camera()
            sender.send([*camera.picture(key=True), Microphone().packet()])
            await site.desk.until(lambda: any(site.desk.streams))
            sender.send(camera.picture(key=True, sets=OTHER_SETS))
            await site.desk.until(lambda: len(site.desk.streams) == 2 and bool(site.desk.streams[1]))

    at_site(visit)


def test_a_stream_that_is_cut_after_a_moment_is_not_the_end() -> None:
    async def visit(site: Site) -> None:
        site.desk.least_bytes = 1 << 20
        async with connected_sender(site) as sender:
            camera = Camera()
            sender.send([*camera.picture(key=True), Microphone().packet()])
            sender.send(camera.picture(key=True, sets=OTHER_SETS))
            await site.desk.until(lambda: len(site.desk.streams) == 2 and bool(site.desk.streams[1]))
            # The second has its own end to answer for.
            sender.line.close()
            sender._flush()
            await site.until_gone()
            assert len(site.desk.streams) == 2

    at_site(visit)


def test_b_frames_end_it_with_a_word() -> None:
    async def visit(site: Site) -> None:
        async with connected_sender(site) as sender:
            camera = Camera()
            sender.send([*camera.picture(key=True), Microphone().packet()])
            for _ in range(4):
                camera.timestamp += 7200
                sender.send(camera.picture())
                camera.timestamp -= 2 * 7200
                sender.send(camera.picture())
            await site.desk.until(lambda: bool(site.desk.failures))
            assert "B-frames" in str(site.desk.failures[0])
            await site.until_gone()

    at_site(visit)


def test_a_key_has_few_sessions_and_all_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def visit(site: Site) -> None:
        for _ in range(SESSIONS_PER_KEY_MAX):
            site.open(obs_offer())
        with pytest.raises(KeyBusy):
            site.open(obs_offer())
        monkeypatch.setattr(whip_module, "SESSIONS_MAX", SESSIONS_PER_KEY_MAX)
        other = site.desk._keys.add("other").key
        with pytest.raises(SessionsFull):
            site.whip.open(other, obs_offer(), "127.0.0.1")

    at_site(visit)


def test_a_key_for_which_somebody_waits_already_is_in_use() -> None:
    async def visit(site: Site) -> None:
        programme = site.desk._new_programme(site.desk.check(site.key))
        await programme.busy.acquire()
        session, _ = site.open(obs_offer())
        site.whip.end(session)
        programme.standby = True
        with pytest.raises(KeyBusy):
            site.open(obs_offer())
        programme.busy.release()

    at_site(visit)


def test_without_key_port_or_library_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    async def visit(site: Site) -> None:
        with pytest.raises(UnknownKey):
            site.whip.open("nonsense", obs_offer(), "127.0.0.1")
        with pytest.raises(WhipOff):
            Whip(site.desk).open(site.key, obs_offer(), "127.0.0.1")
        monkeypatch.setattr(whip_module, "INSTALLED", False)
        with pytest.raises(WhipMissing, match=r"pip install 'seedcast\[whip\]'"):
            site.open(obs_offer())

    at_site(visit)


def test_an_open_gateway_names_the_address_at_which_it_was_asked() -> None:
    async def run() -> None:
        keys = IngestKeys()
        whip = Whip(Gatherer(keys), advertised=["198.51.100.7"])
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as bound:
            bound.bind(("0.0.0.0", 0))
            port = bound.getsockname()[1]
            async with whip.serving(bound):
                _, answer = whip.open(keys.add("studio").key, obs_offer(), "192.0.2.5")
        candidates = [line.split()[4:6] for line in answer.split("\r\n") if line.startswith("a=candidate:")]
        assert candidates == [["192.0.2.5", str(port)], ["198.51.100.7", str(port)]]

    asyncio.run(run())
