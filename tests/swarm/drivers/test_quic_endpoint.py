"""Who gets through to an endpoint and who does not: wrong keys, dead ports, strangers, noise, address families."""

import asyncio
import random
import socket
import struct

import pytest

from swarm.drivers.quic import Limits
from swarm.drivers.quic.connection import Channel, Connection, Datagram, make_profile
from swarm.drivers.quic.udp import Port
from swarm.events import Dial
from swarm.framing import MESSAGE_BYTES_MAX
from swarm.units import Address, LinkId
from tests.swarm.drivers.collector import Peer

both_ways_of_sending = pytest.mark.parametrize("batching", [True, False], ids=["batched", "one by one"])


def test_another_key_than_expected_fails_the_dial() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob, Peer(3) as eve:
            ann.dial(eve, bob.key)
            await ann.node.until(lambda: ann.node.failed)
            assert ann.node.failed == [eve.address]
            assert not ann.node.up
            await eve.node.until(lambda: len(eve.node.down) == len(eve.node.up))

    asyncio.run(scene())


def test_a_shown_certificate_without_its_key_fails_the_dial() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob, Peer(3) as eve:
            eve.driver._endpoint._profile = make_profile(eve.identity.seed, certificate_seed=bob.identity.seed)
            ann.dial(eve, bob.key)
            await ann.node.until(lambda: ann.node.failed)
            assert not ann.node.up
            assert not eve.node.up

    asyncio.run(scene())


@pytest.mark.parametrize(
    "address", [Address("no.number", 1), Address("127.0.0.1", 0), Address("::1", 7), Address("127.0.0.1", 70_000)]
)
def test_what_is_no_address_of_ours_fails_without_a_packet(address: Address) -> None:
    async def scene() -> None:
        async with Peer(1) as ann:
            ann.order(Dial(address=address, peer=None))
            assert not ann.node.failed
            await ann.node.until(lambda: ann.node.failed)
            assert ann.node.failed == [address]
            assert ann.driver.connections == 0

    asyncio.run(scene())


def test_a_dead_port_fails_the_dial_and_leaves_nothing() -> None:
    async def scene() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            dead = Address(*taken.getsockname())
            async with Peer(1) as ann:
                ann.order(Dial(address=dead, peer=None))
                await ann.node.until(lambda: ann.node.failed)
                assert ann.node.failed == [dead]
                assert not ann.driver._endpoint._table.live

    asyncio.run(scene())


def test_two_peers_that_dial_at_once_have_two_links() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            ann.dial(bob, bob.key)
            bob.dial(ann, ann.key)
            await ann.node.until(lambda: len(ann.node.up) == 2)
            await bob.node.until(lambda: len(bob.node.up) == 2)
            for peer in (ann, bob):
                assert {info.dialled for info in peer.node.up.values()} == {True, False}
            for number in range(100):
                for link in ann.node.up:
                    ann.say(bytes([number]) * 1000, link)
            await bob.node.until(lambda: len(bob.node.messages) == 200)
            for link in bob.node.up:
                assert [data[0] for source, data in bob.node.messages if source == link] == list(range(100))

    asyncio.run(scene())


@pytest.mark.parametrize("length", [0, MESSAGE_BYTES_MAX + 1])
def test_a_message_out_of_bounds_ends_this_link_only(length: int) -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob, Peer(3) as eve:
            await ann.connect(bob)
            await eve.connect(bob)
            link = eve.driver._endpoint._table.live[eve.link]
            link.connection.write(Channel.DATA, struct.pack(">I", length))
            eve.say(b"behind it")
            await bob.node.until(lambda: bob.node.down)
            await eve.node.until(lambda: eve.node.down)
            assert bob.node.down == [bob.link]
            ann.say(b"still here")
            await bob.node.until(lambda: bob.node.messages)
            assert [data for _, data in bob.node.messages] == [b"still here"]

    asyncio.run(scene())


def test_an_ended_link_rests_and_is_then_forgotten() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob, Peer(3) as carl:
            await ann.connect(bob)
            ended = ann.link
            await ann.connect(carl)
            ann.hang_up(ended)
            await bob.node.until(lambda: bob.node.down)
            for _ in range(50):
                await asyncio.sleep(0)
            assert ann.driver._endpoint._flush_handle is None
            await ann.node.until(lambda: ann.driver.connections == 1)
            assert list(ann.driver._endpoint._table.live) == [ann.link]

    asyncio.run(scene())


class _Saboteur:
    """Sends a damaged copy before every datagram that leaves through the real port."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._rng = random.Random(11)
        self.sent = 0

    @property
    def blocked(self) -> bool:
        return self._port.blocked

    def send(self, datagrams: list[Datagram]) -> None:
        for datagram, to in datagrams:
            damaged = bytearray(datagram)
            for _ in range(self._rng.randint(1, 4)):
                damaged[self._rng.randrange(len(damaged))] ^= 1 << self._rng.randrange(8)
            cut = self._rng.randint(1, len(damaged)) if self._rng.random() < 0.3 else len(damaged)
            self._port.send([(bytes(damaged[:cut]), to)])
            self.sent += 1
        self._port.send(datagrams)

    def close(self) -> None:
        self._port.close()


def test_damaged_copies_of_every_packet_change_nothing() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            saboteurs = []
            for peer in (ann, bob):
                saboteurs.append(_Saboteur(peer.driver._endpoint._port))
                peer.driver._endpoint._port = saboteurs[-1]
            await ann.connect(bob)
            sent = [bytes([number]) * 3000 for number in range(200)]
            for data in sent:
                ann.say(data)
                bob.say(data)
            for peer in (ann, bob):
                await peer.node.until_messages(len(sent))
                assert [data for _, data in peer.node.messages] == sent
                assert not peer.node.down
            assert all(saboteur.sent > 100 for saboteur in saboteurs)

    asyncio.run(scene())


def test_noise_is_ignored() -> None:
    rng = random.Random(7)
    sizes = [0, 1, 2, 5, 6, 7, 20, 21, 100, 1199, 1200, 1201, 1400, 9000]
    noise = [rng.randbytes(size) for size in sizes * 40]
    noise += [b"\xc3\0\0\0\1" + bytes([length]) + rng.randbytes(1300) for length in range(256)]
    noise += [b"\xc3" + rng.randbytes(4) + b"\x08" + rng.randbytes(1300) for _ in range(50)]

    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for at in range(0, len(noise), 50):
                    for datagram in noise[at : at + 50]:
                        stranger.sendto(datagram, bob.address)
                    ann.say(b"between")
                    await bob.node.until_messages(at // 50 + 1)
            assert bob.driver.connections == 1
            assert not bob.node.down

    asyncio.run(scene())


def _first_datagrams(to: Address) -> list[bytes]:
    """What a stranger sends first."""
    stranger = Connection.dial(make_profile(bytes(32)), (to.host, to.port), 0.0)
    return [data for data, _ in stranger.transmit(0.0)]


def test_strangers_that_never_finish_are_bounded_and_given_up() -> None:
    async def scene() -> None:
        async with (
            Peer(1) as ann,
            Peer(2, limits=Limits(half_open=3)) as bob,
            Peer(3, limits=Limits(half_open=0)) as hermit,
        ):
            await ann.connect(bob)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for peer in (bob, hermit):
                    for _ in range(8):
                        for datagram in _first_datagrams(peer.address):
                            stranger.sendto(datagram, peer.address)
            ann.say(b"behind them")
            await bob.node.until(lambda: bob.node.messages)
            assert bob.driver.connections == 1 + 3
            assert hermit.driver.connections == 0
            await bob.node.until(lambda: bob.driver.connections == 1 or not bob.driver._endpoint._table._strangers)
            assert len(bob.driver._endpoint._table.live) == 1

    asyncio.run(scene())


def test_newcomers_get_in_while_spoofed_packets_hold_the_half_open_places() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2, limits=Limits(half_open=4)) as bob, Peer(3) as cid:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for _ in range(12):
                    for datagram in _first_datagrams(bob.address):
                        stranger.sendto(datagram, bob.address)
                await ann.connect(bob)
                await cid.connect(bob)
                strangers = bob.driver._endpoint._table._strangers
                assert len(strangers) == 4, "what they hold, and not one more, though each was answered"
                answer = stranger.recv(2000)
                assert answer
            ann.say(b"through the back door")
            await bob.node.until(lambda: bob.node.messages)

    asyncio.run(scene())


def test_a_first_packet_below_1200_bytes_is_ignored() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            first = _first_datagrams(bob.address)[0]
            assert len(first) >= 1200
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(first[:1199], bob.address)
                await ann.connect(bob)
                assert bob.driver.connections == 1
                stranger.sendto(first, bob.address)
                ann.say(b"behind it")
                await bob.node.until(lambda: bob.node.messages)
                assert bob.driver.connections == 2

    asyncio.run(scene())


def test_no_more_connections_than_allowed() -> None:
    async def scene() -> None:
        async with Peer(1, limits=Limits(connections=1)) as ann, Peer(2) as bob, Peer(3) as carl:
            await ann.connect(bob)
            ann.dial(carl)
            await ann.node.until(lambda: ann.node.failed)
            assert ann.node.failed == [carl.address]
            carl.dial(ann)
            await carl.node.until(lambda: carl.node.failed)
            assert len(ann.node.up) == 1

    asyncio.run(scene())


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
@both_ways_of_sending
def test_ipv6(batching: bool) -> None:
    async def scene() -> None:
        async with Peer(1, host="::1", batching=batching) as ann, Peer(2, host="::1", batching=batching) as bob:
            await ann.connect(bob)
            assert bob.node.up[bob.link].address == ann.address
            ann.say(bytes(100_000))
            await bob.node.until(lambda: bob.node.messages)

    asyncio.run(scene())


@needs_ipv6
def test_a_socket_for_all_addresses_speaks_both() -> None:
    async def scene() -> None:
        async with Peer(1, host="::") as ann, Peer(2) as bob, Peer(3, host="::1") as carl:
            await ann.connect(bob)
            await ann.connect(carl)
            assert ann.node.up[LinkId(1)].address == bob.address
            assert bob.node.up[bob.link].address == Address("127.0.0.1", ann.address.port)
            bob.order(Dial(address=Address("127.0.0.1", ann.address.port), peer=ann.key))
            await bob.node.until(lambda: len(bob.node.up) == 2)

    asyncio.run(scene())
