"""The QUIC driver over real sockets on this machine."""

import asyncio
import logging
import random
from collections.abc import Callable

import pytest

from swarm.drivers.quic import QuicDriver
from swarm.events import Close, PieceLost, Send, Urgency
from swarm.framing import MESSAGE_BYTES_MAX
from swarm.identity import Identity
from swarm.units import StreamId
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
                await peer.node.until_messages(len(sent))
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link without a word is lost soon; the true time-out has its own test, on a clock of its own."""
    monkeypatch.setattr("swarm.drivers.quic.connection.IDLE_TIMEOUT_S", 4.0)


@pytest.mark.usefixtures("impatient")
def test_a_peer_that_dies_without_a_word_is_noticed() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            bob.driver._endpoint._port.close()
            await ann.node.until(lambda: ann.node.down)
            assert ann.node.down == [ann.link]

    asyncio.run(scene())


@pytest.mark.usefixtures("impatient")
def test_who_acknowledges_nothing_is_told_of_once_and_before_the_link_is_lost() -> None:
    async def scene() -> None:
        async with Peer(1) as ann, Peer(2) as bob:
            await ann.connect(bob)
            ann.say(b"are you there")
            await bob.node.until(lambda: bob.node.messages)
            assert not ann.node.silent
            bob.driver._endpoint._port.close()
            ann.say(b"and now")
            await ann.node.until(lambda: ann.node.silent)
            assert not ann.node.down
            await ann.node.until(lambda: ann.node.down)
            assert ann.node.silent == [ann.link]

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
