"""The socket: the same datagrams come out, however many go into one system call."""

import asyncio
import errno
import socket
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.drivers.quic.connection import Datagram, SocketAddress
from swarm.drivers.quic.udp import RUN_BYTES_MAX, Port, SelectorPort, bind, open_port, open_transport_port, runs

HERE, THERE = ("192.0.2.1", 1), ("192.0.2.2", 2)

datagrams_of = st.lists(st.tuples(st.integers(1, 5).map(bytes), st.sampled_from([HERE, THERE])), max_size=40)


@given(datagrams_of, st.integers(1, 8))
@settings(deadline=None)
def test_runs_keep_order_and_can_be_cut_up_again(datagrams: list[Datagram], segments_max: int) -> None:
    made = runs(datagrams, segments_max)
    assert [(datagram, to) for run, to in made for datagram in run] == datagrams
    for run, _ in made:
        assert len(run) <= segments_max
        assert len({len(datagram) for datagram in run[:-1]}) <= 1
        assert len(run[-1]) <= len(run[0])


def test_runs_are_as_long_as_they_may_be() -> None:
    assert [len(run) for run, _ in runs([(bytes(1000), HERE)] * 200, 64)] == [64, 64, 64, 8]
    large = runs([(bytes(9000), HERE)] * 10, 64)
    assert [sum(map(len, run)) for run, _ in large] == [63_000, 27_000]
    assert large[0][0] == [bytes(9000)] * (RUN_BYTES_MAX // 9000)


def test_where_there_is_no_ipv6_all_addresses_are_those_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldSocket(socket.socket):
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, "no such address")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", OldSocket)
    with bind("::", 0) as opened:
        assert opened.getsockname()[0] == "0.0.0.0"
    with pytest.raises(OSError, match="no such address"):
        bind("::1", 0)


async def _pass_on(sent: list[bytes], *, batching: bool, transport: bool = False) -> tuple[list[bytes], Port]:
    """What arrives of ``sent`` at a second port on this machine."""
    got: list[bytes] = []
    turn = asyncio.Event()

    def take(data: bytes, segment_bytes: int, source: SocketAddress) -> None:
        got.extend(data[at : at + segment_bytes] for at in range(0, len(data), segment_bytes))

    receiving = bind("127.0.0.1", 0)
    to = receiving.getsockname()
    opener = open_transport_port(receiving, take, turn.set)
    receiver = await (opener if transport else open_port(receiving, take, turn.set, batching=batching))
    if not transport:
        opener.close()
    sender = await open_port(bind("127.0.0.1", 0), lambda data, size, source: None, lambda: None, batching=batching)
    try:
        sender.send([(data, to) for data in sent])
        async with asyncio.timeout(10):
            while len(got) < len(sent):
                turn.clear()
                await turn.wait()
    finally:
        sender.close()
        receiver.close()
        await asyncio.sleep(0)
    return got, sender


SIZES = [1200] * 20 + [300] + [1200, 1400, 1400, 7] + [1]


@pytest.mark.parametrize("batching", [True, False])
@pytest.mark.parametrize("transport", [True, False])
def test_datagrams_arrive_as_they_were_sent(batching: bool, transport: bool) -> None:
    sent = [bytes([number]) * size for number, size in enumerate(SIZES)]
    got, _ = asyncio.run(_pass_on(sent, batching=batching, transport=transport))
    assert got == sent


def test_a_system_that_refuses_batches_gets_datagrams_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarm.drivers.quic.udp._UDP_SEGMENT", 0x7FFF)
    monkeypatch.setattr("swarm.drivers.quic.udp._can_batch", lambda opened: True)
    sent = [bytes([number]) * size for number, size in enumerate(SIZES)]
    got, sender = asyncio.run(_pass_on(sent, batching=True))
    assert got == sent
    assert isinstance(sender, SelectorPort)
    assert not sender.batching


def test_a_full_socket_keeps_the_datagrams_until_there_is_room() -> None:
    """A Unix datagram socket, unlike UDP on loopback, fills up when nobody reads."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        room = asyncio.Event()
        with there:
            for end in (here, there):
                end.setblocking(False)
            opened = cast("socket.socket", _Connected(here))
            port = SelectorPort(opened, loop, lambda *args: None, room.set, batching=False)
            sent = [number.to_bytes(2, "big") + bytes(8000) for number in range(600)]
            port.send([(data, HERE) for data in sent])
            full = port.blocked
            assert full
            got: list[bytes] = []
            while len(got) < len(sent):
                try:
                    got.append(there.recv(10_000))
                except BlockingIOError:
                    await asyncio.sleep(0)
            assert got == sent
            await room.wait()
            assert not port.blocked
            port.close()

    asyncio.run(scene())


class _Connected:
    """A connected socket under the calls that the port makes of an open one."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected
        self.fileno = connected.fileno
        self.close = connected.close

    def sendto(self, data: bytes, to: SocketAddress) -> int:
        return self._connected.send(data)


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    with pytest.raises(OSError, match="assign"):
        bind("192.0.2.77", 0)
