"""The mapper before a router of a few lines: asked, renewed, refused, silent, and told at the end."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from swarm.drivers.ports import mapper as mapping
from swarm.drivers.ports import router
from swarm.drivers.ports.mapper import PortMapper
from swarm.units import Address

OWN = "192.168.1.2"
V4 = bytes(10) + b"\xff\xff"


class Router(asyncio.DatagramProtocol):
    """Speaks PCP, or only the older NAT-PMP. ``asked`` are the lifetimes that were asked for."""

    def __init__(self, *, older: bool = False, lifetime_s: int = 900) -> None:
        self.older = older
        self.lifetime_s = lifetime_s
        self.asked: list[int] = []
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._answer(data), addr)
        self.news.set()

    def _answer(self, data: bytes) -> bytes:
        if data[0] == 2 and not self.older:
            self.asked.append(int.from_bytes(data[4:8], "big"))
            lifetime = min(self.asked[-1], self.lifetime_s).to_bytes(4, "big")
            return bytes([2, 0x81, 0, 0]) + lifetime + bytes(16) + data[24:42] + b"\x10\x04" + V4 + b"\x08\1\1\1"
        if data[0] == 2:
            return bytes([0, 0x81, 0, 1]) + bytes(4)
        if data[1] == 0:
            return bytes([0, 0x80, 0, 0]) + bytes(4) + b"\x08\1\1\1"
        self.asked.append(int.from_bytes(data[8:12], "big"))
        return bytes([0, 0x81, 0, 0]) + bytes(4) + data[4:6] + b"\x10\x04" + self.lifetime_s.to_bytes(4, "big")


Play = Callable[[Router, PortMapper, list[Address | None]], Awaitable[None]]


def with_router(monkeypatch: pytest.MonkeyPatch, speaks: Callable[[], Router], play: Play) -> None:
    async def run() -> None:
        monkeypatch.setattr(router, "default_router", lambda: "127.0.0.1")
        there = speaks()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: there, local_addr=("127.0.0.1", 0)
        )
        heard: list[Address | None] = []

        def hear(address: Address | None) -> None:
            heard.append(address)
            there.news.set()

        mapper = PortMapper(4000, hear, server_port=transport.get_extra_info("sockname")[1])
        monkeypatch.setattr(mapper._upnp, "map", nothing)
        try:
            async with asyncio.timeout(10):
                await play(there, mapper, heard)
        finally:
            await mapper.stop()
            transport.close()

    asyncio.run(run())


async def nothing(*_: object) -> None:
    """No router speaks UPnP here."""


async def until(there: Router, condition: Callable[[], bool]) -> None:
    while not condition():
        there.news.clear()
        await there.news.wait()


@pytest.mark.parametrize("older", [False, True])
def test_a_port_is_asked_for_and_given_back(monkeypatch: pytest.MonkeyPatch, *, older: bool) -> None:
    async def play(there: Router, mapper: PortMapper, heard: list[Address | None]) -> None:
        mapper.start(OWN)
        await until(there, lambda: bool(heard))
        assert heard == [Address("8.1.1.1", 4100)]
        await mapper.stop()
        assert there.asked == [mapping.LIFETIME_S, 0]
        await mapper.stop()

    with_router(monkeypatch, lambda: Router(older=older), play)


def test_it_is_renewed_in_time_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "RENEW_S_LEAST", 0.01)

    async def play(there: Router, mapper: PortMapper, heard: list[Address | None]) -> None:
        there.lifetime_s = 0
        mapper.start(OWN)
        await until(there, lambda: len(there.asked) >= 3)
        assert set(heard) == {Address("8.1.1.1", 4100)}

    with_router(monkeypatch, Router, play)


def test_without_any_answer_there_is_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "TRIES_S", (0.01,))

    async def ask() -> None:
        monkeypatch.setattr(router, "default_router", lambda: "127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            mapper = PortMapper(4000, lambda _: None, server_port=silent.getsockname()[1])
            monkeypatch.setattr(mapper._upnp, "map", nothing)
            assert await mapper.ask(OWN) is None

    asyncio.run(ask())


def test_the_router_is_the_gateway_of_the_best_default_route(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    routes.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "wlan0 00000000 0102A8C0 0003 0 0 600 00000000 0 0 0\n"
        "eth0 00000000 0101A8C0 0003 0 0 100 00000000 0 0 0\n"
        "eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n",
        encoding="ascii",
    )
    assert router.default_router(routes) == "192.168.1.1"
    assert router.default_router(tmp_path / "none") is None
