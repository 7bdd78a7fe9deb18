"""SRT pushed to by the real ffmpeg, and by callers that nobody knows."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.commands.ingest_ports import bind
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.srt import CHECKS_PER_S_AND_ADDRESS, SrtPort
from gateway.ingest.srt_handshake import CONCLUSION, INDUCTION, REJECTED, Handshake, read_handshake
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.streams import Listener, hashes

pytestmark = pytest.mark.e2e


class Port:
    """An SRT port on loopback with one key, ``studio``, and what goes on air from it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.keys = IngestKeys()
        self.key = self.keys.add("studio").key
        self.listener = Listener()

    def url(self, query: str) -> str:
        return f"srt://127.0.0.1:{self.number}?mode=caller&{query}"


@asynccontextmanager
async def open_port(tool: Ffmpeg) -> AsyncIterator[Port]:
    with closing(bind("127.0.0.1", 0)) as bound:
        port = Port(bound.getsockname()[1])
        desk = IngestDesk(port.keys, lambda _: port.listener, ffmpeg=tool)
        async with SrtPort(desk).serving(bound):
            yield port
        desk.close()


def at_port(tool: Ffmpeg, visit: Callable[[Port], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with open_port(tool) as port:
            await visit(port)

    asyncio.run(run())


async def push(tool: Ffmpeg, film: Path, url: str) -> int | None:
    arguments = ("-v", "quiet", "-nostdin", "-re", "-i", str(film), "-c", "copy", "-f", "mpegts", url)
    return await (await asyncio.create_subprocess_exec(tool.path, *arguments)).wait()


@pytest.mark.parametrize("query", ["streamid=publish:studio&passphrase={key}", "streamid={key}"])
def test_a_film_goes_on_air(tool: Ffmpeg, films: Path, query: str) -> None:
    async def visit(port: Port) -> None:
        assert await push(tool, films / "film.mp4", port.url(query.format(key=port.key))) == 0
        # What is still on its way when the caller hangs up is lost with it: that is SRT.
        await port.listener.until(lambda: sum(piece.duration_us for piece in port.listener.pieces) >= 1_900_000)
        film = await asyncio.to_thread(hashes, tool, str(films / "film.mp4"))
        shown = await asyncio.to_thread(hashes, tool, "-", film=port.listener.film())
        assert shown[:40] == film[:40]

    at_port(tool, visit)


def test_a_caller_without_the_right_secret_is_refused_and_nothing_is_started(tool: Ffmpeg, films: Path) -> None:
    async def visit(port: Port) -> None:
        before = running_ffmpegs()
        for query in ("streamid=studio", "streamid=other", "streamid=studio&passphrase=0123456789abcdef", ""):
            assert await push(tool, films / "film.mp4", port.url(query)) != 0
        assert await push(tool, films / "film.mp4", port.url(f"streamid=request:{port.key}")) != 0
        assert port.listener.pieces == []
        assert running_ffmpegs() == before

    at_port(tool, visit)


def hello(kind: int, cookie: int) -> Handshake:
    return Handshake(
        to=0,
        time_us=0,
        version=5,
        encryption=0,
        extension=0,
        sequence=1,
        packet_bytes=1500,
        window=8192,
        kind=kind,
        socket=77,
        cookie=cookie,
        address=bytes(16),
    )


async def ask(port: Port, packet: bytes) -> Handshake | None:
    """The port's answer to one packet."""
    loop = asyncio.get_running_loop()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as caller:
        caller.setblocking(False)
        caller.connect(("127.0.0.1", port.number))
        await loop.sock_sendall(caller, packet)
        return read_handshake(await asyncio.wait_for(loop.sock_recv(caller, 2000), 10))


async def fetch_cookie(port: Port, caller: socket.socket) -> int:
    """Knock from this socket, and take what the port wants to be shown."""
    loop = asyncio.get_running_loop()
    caller.setblocking(False)
    caller.connect(("127.0.0.1", port.number))
    await loop.sock_sendall(caller, hello(INDUCTION, 0).to_bytes())
    invitation = read_handshake(await asyncio.wait_for(loop.sock_recv(caller, 2000), 10))
    assert invitation is not None
    return invitation.cookie


def test_only_who_shows_its_cookie_is_looked_at(tool: Ffmpeg) -> None:
    async def visit(port: Port) -> None:
        invitation = await ask(port, hello(INDUCTION, 0).to_bytes())
        assert invitation is not None
        assert (invitation.kind, invitation.to, invitation.version) == (INDUCTION, 77, 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(port, hello(CONCLUSION, invitation.cookie ^ 1).to_bytes()), 0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(port, b"\x80\x00" + bytes(200)), 0.3)

    at_port(tool, visit)


def test_a_flood_of_handshakes_is_answered_now_and_then(tool: Ffmpeg) -> None:
    async def visit(port: Port) -> None:
        loop = asyncio.get_running_loop()
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as caller:
            cookie = await fetch_cookie(port, caller)
            for _ in range(40 * CHECKS_PER_S_AND_ADDRESS):
                await loop.sock_sendall(caller, hello(CONCLUSION, cookie).to_bytes())
            await loop.sock_sendall(caller, hello(INDUCTION, 0).to_bytes())
            refusals = 0
            while True:  # the answer to the last one comes after all others
                answer = read_handshake(await asyncio.wait_for(loop.sock_recv(caller, 2000), 10))
                assert answer is not None
                if answer.kind == INDUCTION:
                    break
                refusals += 1
        assert 0 < refusals <= 20 * CHECKS_PER_S_AND_ADDRESS  # however many seconds that took
        assert running_ffmpegs() == set()

    at_port(tool, visit)


def test_damaged_extensions_are_refused(tool: Ffmpeg) -> None:
    async def visit(port: Port) -> None:
        loop = asyncio.get_running_loop()
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as caller:
            cookie = await fetch_cookie(port, caller)
            await loop.sock_sendall(caller, hello(CONCLUSION, cookie).to_bytes() + b"\0\5\xff\xffab")
            answer = read_handshake(await asyncio.wait_for(loop.sock_recv(caller, 2000), 10))
        assert answer is not None
        assert answer.kind > REJECTED

    at_port(tool, visit)
