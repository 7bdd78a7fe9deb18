"""Two connections joined by hand: no socket, no clock."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.drivers.quic.connection import IDLE_TIMEOUT_S, Channel, Connection, ConnectionFault, Profile, make_profile
from swarm.drivers.quic.udp import runs
from swarm.identity import Identity

ANN, BOB, EVE = (bytes([number]) * 32 for number in (1, 2, 3))
AT_ANN, AT_BOB = ("192.0.2.1", 1000), ("192.0.2.2", 2000)


class Pair:
    """A dialler and an acceptor, and the datagrams between them."""

    def __init__(self, acceptor: Profile | None = None, dialler: Profile | None = None) -> None:
        self.now = 0.0
        self.ann = Connection.dial(dialler or make_profile(ANN), AT_BOB, self.now)
        first = self.ann.transmit(self.now)
        self.bob = Connection.accept(acceptor or make_profile(BOB), first[0][0][6:14])
        for data, _ in first:
            self.bob.receive(data, len(data), AT_ANN, self.now)

    def exchange(self) -> "Pair":
        """Until neither has anything to send."""
        moved = True
        while moved:
            moved = False
            self.now += 0.001
            for sender, receiver, source in ((self.bob, self.ann, AT_BOB), (self.ann, self.bob, AT_ANN)):
                for data, _ in sender.transmit(self.now):
                    receiver.receive(data, len(data), source, self.now)
                    moved = True
        return self


def test_the_dialler_learns_the_key_that_the_acceptor_owns() -> None:
    pair = Pair().exchange()
    assert pair.ann.established
    assert pair.bob.established
    assert pair.ann.peer_key == Identity(BOB).key
    assert pair.bob.peer_key is None


def test_both_ends_have_one_binding_and_every_connection_another() -> None:
    pairs = [Pair().exchange() for _ in range(3)]
    assert all(pair.ann.binding == pair.bob.binding for pair in pairs)
    assert len({pair.ann.binding for pair in pairs} | {b""}) == 4


def test_a_certificate_without_its_private_key_is_refused() -> None:
    pair = Pair(make_profile(EVE, certificate_seed=BOB)).exchange()
    assert not pair.ann.established
    assert pair.ann.closed
    assert "signature" in pair.ann.close_reason
    assert not pair.bob.established


def test_another_protocol_is_refused() -> None:
    profile = make_profile(ANN)
    profile.client.alpn_protocols = ["h3"]
    pair = Pair(dialler=profile)
    pair.exchange()
    assert not pair.ann.established
    assert not pair.bob.established


def test_bytes_arrive_in_order_on_both_channels_both_ways() -> None:
    pair = Pair().exchange()
    for here, there in ((pair.ann, pair.bob), (pair.bob, pair.ann)):
        sent = {channel: random.Random(channel).randbytes(20_000) for channel in Channel}
        for channel, data in sent.items():
            here.write(channel, data[:7])
            here.write(channel, data[7:])
        assert here.unsent_bytes() == 40_000
        assert here.unsent_bytes(Channel.DATA) == 20_000
        pair.exchange()
        pair.now += 1.0
        pair.exchange()
        got = dict.fromkeys(Channel, b"")
        for channel, data in there.take_data():
            got[channel] += data
        assert all(sent[channel].startswith(got[channel]) and got[channel] for channel in Channel)
        assert there.take_data() == []


def test_a_glued_run_is_like_its_datagrams() -> None:
    pair = Pair().exchange()
    pair.ann.write(Channel.DATA, bytes(range(256)) * 30)
    made = runs(pair.ann.transmit(pair.now), 64)
    assert max(len(run) for run, _ in made) > 1
    for run, _ in made:
        pair.bob.receive(b"".join(run), len(run[0]), AT_ANN, pair.now)
    assert b"".join(data for _, data in pair.bob.take_data()) == bytes(range(256)) * 30


@pytest.mark.parametrize("stream", [0, 10, 14])
def test_a_third_stream_is_a_fault(stream: int) -> None:
    pair = Pair().exchange()
    pair.ann._quic.core.send_stream(stream, b"stray")
    with pytest.raises(ConnectionFault):
        pair.exchange()


def test_ending_a_single_stream_is_a_fault() -> None:
    pair = Pair().exchange()
    pair.ann.write(Channel.CONTROL, b"begun")
    pair.exchange()
    pair.ann._quic.reset_stream(2, 0)
    with pytest.raises(ConnectionFault):
        pair.exchange()


def test_a_goodbye_is_heard_at_once_and_what_came_before_it_too() -> None:
    pair = Pair().exchange()
    pair.ann.write(Channel.CONTROL, b"last word")
    leaving = pair.ann.transmit(pair.now)
    pair.ann.close(0, "done")
    leaving += pair.ann.transmit(pair.now)
    for data, _ in leaving:
        pair.bob.receive(data, len(data), AT_ANN, pair.now)
    assert pair.bob.take_data() == [(Channel.CONTROL, b"last word")]
    assert pair.bob.closed
    assert pair.ann.closed
    assert not pair.ann.finished
    timer = pair.ann.timer()
    assert timer is not None
    pair.ann.handle_timer(timer)
    assert pair.ann.finished


def test_silence_ends_a_connection() -> None:
    pair = Pair().exchange()
    while not pair.ann.closed:
        timer = pair.ann.timer()
        assert timer is not None
        pair.now = max(timer, pair.now)
        pair.ann.handle_timer(pair.now)
        pair.ann.transmit(pair.now)
    assert IDLE_TIMEOUT_S <= pair.now < IDLE_TIMEOUT_S + 1


def test_using_a_closed_connection_is_its_fault_only() -> None:
    pair = Pair().exchange()
    pair.ann.close(0, "done")
    with pytest.raises(ConnectionFault):
        pair.ann.write(Channel.DATA, b"too late")


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_damage_is_ignored_or_a_fault_and_never_anything_else(data: st.DataObject) -> None:
    """Every datagram of a handshake and a message is preceded by a damaged copy of itself."""
    pair = Pair()
    pair.ann.ping()
    for _ in range(6):
        pair.now += 0.001
        for sender, receiver, source in ((pair.bob, pair.ann, AT_BOB), (pair.ann, pair.bob, AT_ANN)):
            for whole, _ in sender.transmit(pair.now):
                damaged = bytearray(whole)
                for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
                    damaged[at] ^= data.draw(st.integers(1, 255))
                try:
                    receiver.receive(bytes(damaged), len(damaged), source, pair.now)
                    receiver.receive(whole, len(whole), source, pair.now)
                except ConnectionFault:
                    return
    assert pair.ann.established
    assert pair.bob.established
