"""Asking a tracker by name or address, over either version of IP, and only where it may be."""

import asyncio
import gc
import random
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from swarm.discovery.announces import Announce, Answer
from swarm.discovery.http_client import fetch
from swarm.discovery.tracker_client import Ground, TrackerClient
from swarm.errors import TrackerError
from swarm.prefixes import Reach
from swarm.tracker_url import parse_tracker
from tests.swarm.discovery.test_udp_client import Tracker, honest

ANNOUNCE = Announce(target=bytes(20), peer_id=bytes(20), key=1, port=4000, is_source=False)
BOTH = Ground(frozenset({4, 6}), Reach.WORLD)
WAIT_S = 20.0
BODY = b"d8:intervali60ee"


@asynccontextmanager
async def http_tracker(host: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Its port; it answers everybody the same."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, host, 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def ask(url: str, *, trusted: bool, ground: Ground = BOTH) -> list[tuple[str, Answer]]:
    client = TrackerClient(random.Random(1), time.monotonic, ground)
    try:
        return await client.announce(parse_tracker(url), ANNOUNCE, trusted=trusted)
    finally:
        await client.close()


def test_a_name_is_looked_up_and_asked_at_one_address_of_each_version_that_is_spoken() -> None:
    async def named() -> None:
        async with http_tracker("127.0.0.1") as port:
            four = Ground(frozenset({4}), Reach.MACHINE)
            assert await ask(f"http://localhost:{port}/x?y=1", trusted=True, ground=four) == [
                ("127.0.0.1", Answer(interval_s=60))
            ]
            with pytest.raises(TrackerError, match="private network"):
                await ask(f"http://localhost:{port}/announce", trusted=False, ground=four)
            with pytest.raises(TrackerError, match="version of IP"):
                await ask(f"http://127.0.0.1:{port}", trusted=True, ground=Ground(frozenset({6}), Reach.WORLD))

    asyncio.run(named())


@asynccontextmanager
async def socks_proxy(leads_to: int, asked: list[bytes], reply: bytes) -> AsyncIterator[str]:
    """A SOCKS5 proxy (RFC 1928) that leads every name to one port of this machine; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            methods = (await reader.readexactly(2))[1]
            await reader.readexactly(methods)
            writer.write(b"\x05\x00")
            kind = (await reader.readexactly(4))[3]
            length = (await reader.readexactly(1))[0] if kind == 3 else 3
            asked.append(await reader.readexactly(length))
            await reader.readexactly(2)
            writer.write(reply)
            if reply != GRANTED:
                writer.close()
                return
            request = await reader.readuntil(b"\r\n\r\n")
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", leads_to)
            far_writer.write(request)
            writer.write(await far_reader.read())
            far_writer.close()
            await far_writer.wait_closed()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"


GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x01"


async def ask_through(proxy: str, url: str) -> list[tuple[str, Answer]]:
    client = TrackerClient(random.Random(1), time.monotonic, BOTH, proxy)
    try:
        return await client.announce(parse_tracker(url), ANNOUNCE, trusted=True)
    finally:
        await client.close()


def test_through_a_proxy_nothing_is_asked_or_looked_up_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    async def through() -> list[bytes]:
        asked: list[bytes] = []
        async with http_tracker("127.0.0.1") as port, socks_proxy(port, asked, GRANTED) as proxy:
            monkeypatch.setattr("swarm.discovery.tracker_client._look_up", None)
            url = "http://tracker.example:8000/announce"
            assert await ask_through(proxy, url) == [("tracker.example", Answer(interval_s=60))]
            with pytest.raises(TrackerError, match="tracker_proxy"):
                await ask_through(proxy, "udp://tracker.example:8000")
        return asked

    assert asyncio.run(through()) == [b"tracker.example"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpcore leaves the socket to the gc
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("reply", [b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x01", b"nonsense", b""])
def test_a_proxy_that_refuses_or_makes_no_sense_is_a_fault_of_the_tracker(reply: bytes) -> None:
    async def through() -> None:
        async with socks_proxy(9, [], reply) as proxy:
            with pytest.raises(TrackerError, match="does not answer"):
                await ask_through(proxy, "http://tracker.example:8000/announce")

    asyncio.run(asyncio.wait_for(through(), WAIT_S))
    gc.collect()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_trackers_are_asked_over_ipv6() -> None:
    async def over_six() -> None:
        async with http_tracker("::1") as port:
            assert await ask(f"http://[::1]:{port}", trusted=False) == [("::1", Answer(interval_s=60))]
        peer = bytes.fromhex("20010db8000000000000000000000007") + b"\x0f\xa0"

        def with_peer(data: bytes) -> list[bytes]:
            return [answer + (peer if struct.unpack_from(">I", data, 8)[0] == 1 else b"") for answer in honest(data)]

        tracker = Tracker(with_peer)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: tracker, local_addr=("::1", 0))
        try:
            ((host, answer),) = await ask(f"udp://[::1]:{transport.get_extra_info('sockname')[1]}", trusted=False)
        finally:
            transport.close()
        assert (host, [str(found) for found in answer.peers]) == ("::1", ["[2001:db8::7]:4000"])

    asyncio.run(over_six())


def test_a_name_that_nobody_has_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(TrackerError, match="name is not known"):
        asyncio.run(ask("http://no-such-name.invalid:8080/announce", trusted=True))


def certify(folder: Path) -> Path:
    """Certificate and key of tracker.example in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tracker.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("tracker.example")]), critical=False)
    path = folder / "tracker.pem"
    path.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def test_a_tracker_behind_tls_has_to_prove_its_name_though_it_is_asked_by_its_address(tmp_path: Path) -> None:
    path = certify(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    knows = ssl.create_default_context(cafile=str(path))

    async def behind_tls() -> None:
        async with (
            http_tracker("127.0.0.1", server) as port,
            httpx.AsyncClient(verify=knows, trust_env=False) as client,
        ):
            true, false = (parse_tracker(f"https://{name}:{port}/a") for name in ("tracker.example", "other.example"))
            assert await fetch(client, true, "127.0.0.1", "/a") == BODY
            with pytest.raises(TrackerError, match="does not answer"):
                await fetch(client, false, "127.0.0.1", "/a")

    asyncio.run(behind_tls())
