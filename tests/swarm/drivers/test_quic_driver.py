"""The QUIC driver over real sockets on this machine."""

import asyncio
import logging
import random
import socket
import struct
from collections.abc import Callable

import pytest

from swarm.drivers.quic import Limits, QuicDriver
from swarm.drivers.quic.connection import Channel, Connection, Datagram, make_profile
from swarm.drivers.quic.udp import Port
from swarm.events import Close, Dial, PieceLost, Send, Urgency
from swarm.framing import MESSAGE_BYTES_MAX
from swarm.identity import Identity
from swarm.units import Address, LinkId, StreamId
from tests.swarm.drivers.collector import Collector, Peer

both_ways_of_sending = pytest.mark.parametrize("batching", [True, False], ids=["batched", "one by one"])


def test_a_link_comes_up_at_both_ends_with_one_binding() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            mine, yours = ann.node.up[ann.link], bob.node.up[bob.link]
            assert (mine.dialled, yours.dialled) == (True, False)
            assert (mine.peer, yours.peer) == (bob.key, None)
            assert (mine.address, yours.address) == (bob.address, ann.address)
            assert mine.binding == yours.binding
            assert len(mine.binding) == 32

    asyncio.run(scene())


@both_ways_of_sending
def test_a_thousand_messages_each_way_arrive_whole_and_in_order(batching: bool) -> None:
    sent = [number.to_bytes(4, "big") + bytes(number * 7 % 4000) for number in range(1000)]

    def lane(messages: list[bytes], control: bool) -> list[bytes]:
        return [data for data in messages if (int.from_bytes(data[:4], "big") % 5 == 0) == control]

    async def scene() -> None:
        async with Peer(1, batching=batching) as ann, Peer(2, batching=batching) as bob:
            await ann.connect(bob)
            for data in sent:
                urgency = Urgency.CONTROL if lane([data], control=True) else Urgency.STRIPE
                ann.say(data, urgency=urgency)
                bob.say(data, urgency=urgency)
            for peer in (ann, bob):
                await peer.node.until(lambda peer=peer: len(peer.node.messages) == len(sent))
                got = [data for _, data in peer.node.messages]
                assert lane(got, control=True) == lane(sent, control=True)
                assert lane(got, control=False) == lane(sent, control=False)

    asyncio.run(scene())


class _NoWatching(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors for its users, like the one that Windows uses by default."""

    def add_reader(self, fd: object, callback: object, *args: object) -> None:
        raise NotImplementedError


def test_a_loop_without_readers_gets_a_datagram_transport() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            for number in range(200):
                ann.say(bytes([number]) * 5000)
            await bob.node.until(lambda: len(bob.node.messages) == 200)
            assert [data[0] for _, data in bob.node.messages] == list(range(200))

    with asyncio.Runner(loop_factory=_NoWatching) as runner:
        runner.run(scene())


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


def test_a_peer_that_dies_without_a_word_is_noticed() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            bob.driver._endpoint._port.close()
            await ann.node.until(lambda: ann.node.down)
            assert ann.node.down == [ann.link]

    asyncio.run(scene())


def test_an_idle_link_stays_up_and_is_measured() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            rounds: set[int] = set()

            def long_enough() -> bool:
                stats = ann.node.stats.get(ann.link)
                rounds.add(0 if stats is None else stats.received_bytes)
                return len(rounds) > 4

            await ann.node.until(long_enough)
            assert not ann.node.down
            assert ann.node.stats[ann.link].rtt_s > 0
            assert ann.node.stats[ann.link].queued_bytes == 0

    asyncio.run(scene())


def test_two_peers_that_dial_at_once_have_two_links() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            ann.dial(bob, bob.key)
            bob.dial(ann, ann.key)
            for peer in (ann, bob):
                await peer.node.until(lambda peer=peer: len(peer.node.up) == 2)
                assert {info.dialled for info in peer.node.up.values()} == {True, False}
            for number in range(100):
                for link in ann.node.up:
                    ann.say(bytes([number]) * 1000, link)
            await bob.node.until(lambda: len(bob.node.messages) == 200)
            for link in bob.node.up:
                assert [data[0] for source, data in bob.node.messages if source == link] == list(range(100))

    asyncio.run(scene())


def test_what_is_late_is_dropped_before_it_is_written() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            soon = asyncio.get_running_loop().time() + 0.001
            for _ in range(40):
                ann.say(b"patient" + bytes(60_000), urgency=Urgency.STRIPE)
            for _ in range(10):
                ann.say(b"hasty" + bytes(1000), urgency=Urgency.REPAIR, expires_s=soon)
            ann.say(b"end", urgency=Urgency.REPAIR)
            await bob.node.until(lambda: any(data == b"end" for _, data in bob.node.messages))
            assert not any(data.startswith(b"hasty") for _, data in bob.node.messages)
            await ann.node.until(lambda: ann.link in ann.node.stats)
            assert ann.node.stats[ann.link].dropped_bytes == 10 * 1005

    asyncio.run(scene())


def test_control_messages_overtake_what_waits() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            for _ in range(40):
                ann.say(bytes(60_000))
            ann.say(b"urgent", urgency=Urgency.CONTROL)
            await bob.node.until(lambda: len(bob.node.messages) == 41)
            assert [data for _, data in bob.node.messages].index(b"urgent") < 10

    asyncio.run(scene())


@both_ways_of_sending
def test_large_messages_pass(batching: bool) -> None:
    async def scene() -> None:
        async with Peer(1, batching=batching) as ann, Peer(2, batching=batching) as bob:
            await ann.connect(bob)
            large = random.Random(5).randbytes(900_000)
            largest = bytes(MESSAGE_BYTES_MAX)
            ann.say(large)
            ann.say(largest)
            await bob.node.until(lambda: len(bob.node.messages) == 2)
            assert [data for _, data in bob.node.messages] == [large, largest]

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


def test_a_link_ends_after_its_control_messages_and_its_own_node_hears_nothing() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            link = ann.link
            ann.order(
                Send(link, b"goodbye", Urgency.CONTROL, None),
                Close(link=link, reason="enough"),
                Send(link, b"too late", Urgency.CONTROL, None),
            )
            await bob.node.until(lambda: bob.node.down)
            assert [data for _, data in bob.node.messages] == [b"goodbye"]
            assert not ann.node.down
            assert not ann.driver._endpoint._table.live

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


def test_stopping_sends_what_is_queued_and_says_goodbye() -> None:
    async def scene() -> None:
        async with Peer(2) as bob:
            async with Peer(1) as ann:
                await ann.connect(bob)
                ann.say(bytes(300_000))
            assert ann.node.shut
            await bob.node.until(lambda: bob.node.down)
            assert [len(data) for _, data in bob.node.messages] == [300_000]
            assert not ann.node.down

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
                await peer.node.until(lambda peer=peer: len(peer.node.messages) == len(sent))
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
                    await bob.node.until(lambda at=at: len(bob.node.messages) == at // 50 + 1)
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


def test_a_port_in_use_is_an_error_of_the_start() -> None:
    async def scene() -> None:
        async with Peer(1) as ann:
            driver = QuicDriver(Collector(), Identity(bytes(32)), print, host="127.0.0.1", port=ann.address.port)
            with pytest.raises(OSError, match="in use"):
                await driver.start()

    asyncio.run(scene())


def test_commands_may_be_given_while_news_are_told() -> None:
    lost = PieceLost(stream=StreamId(bytes(32)), rendition=0, number=1)

    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            order: list[bytes] = []

            def on_news(news: object) -> None:
                depth = len(order)
                if depth < 3:
                    order.append(b"told")
                    ann.order(Send(ann.link, bytes([depth]), Urgency.CONTROL, None), lost)

            ann.driver._on_news = on_news
            ann.order(lost, Send(ann.link, b"first", Urgency.CONTROL, None))
            await bob.node.until(lambda: len(bob.node.messages) == 4)
            assert [data for _, data in bob.node.messages] == [b"first", b"\0", b"\1", b"\2"]

    asyncio.run(scene())


def test_an_application_that_fails_on_news_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(news: object) -> None:
        raise KeyError(news)

    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            ann.driver._on_news = fails
            ann.order(
                PieceLost(stream=StreamId(bytes(32)), rendition=0, number=1),
                Send(ann.link, b"after it", Urgency.CONTROL, None),
            )
            await bob.node.until(lambda: bob.node.messages)

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert "PieceLost" in caplog.text


def test_a_node_that_fails_on_a_message_loses_that_link_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fails(data: bytes) -> bytes | None:
        if data == b"poison":
            raise ValueError(data)
        return data

    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as eve, Peer(3, node=Collector(fails)) as bob:
            await ann.connect(bob)
            await eve.connect(bob)
            eve.say(b"poison")
            await eve.node.until(lambda: eve.node.down)
            ann.say(b"echo")
            await ann.node.until(lambda: ann.node.messages)
            assert bob.node.down == [bob.link]

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert "failed on an input" in caplog.text


@pytest.mark.parametrize("delay_s", [-5.0, 0.0, 0.02])
def test_the_node_gets_its_timer(delay_s: float) -> None:
    async def scene() -> None:
        async with Peer(1) as ann:

            def ask(node: Collector, now: float) -> None:
                node.timer_s = now + delay_s

            ann.driver.run(ask)
            await ann.node.until(lambda: ann.node.timers == 1)
            ann.driver.run(ask)
            await ann.node.until(lambda: ann.node.timers == 2)

    asyncio.run(scene())


def test_run_gives_back_what_the_command_gives() -> None:
    async def scene() -> None:
        async with Peer(1) as ann:
            assert ann.driver.run(lambda node, now: node.timers) == 0
            failing: Callable[[Collector, float], int] = lambda node, now: 1 // 0  # noqa: E731  a command in one line
            with pytest.raises(ZeroDivisionError):
                ann.driver.run(failing)

    asyncio.run(scene())
