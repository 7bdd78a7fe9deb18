"""A host's connection to the net in memory."""

from random import Random

import pytest

from swarm.drivers.line import PACKET_BYTES, Line, Reach, Weather, lets_in, port_behind, resends

OPEN, CONE, SYMMETRIC = Reach.OPEN, Reach.CONE, Reach.SYMMETRIC


@pytest.mark.parametrize(
    ("called", "caller", "called_out", "passes"),
    [
        (OPEN, SYMMETRIC, False, True),
        (CONE, OPEN, False, False),
        (CONE, OPEN, True, True),
        (CONE, CONE, True, True),
        (CONE, SYMMETRIC, True, False),
        (SYMMETRIC, OPEN, True, False),
    ],
)
def test_who_reaches_whom(called: Reach, caller: Reach, called_out: bool, passes: bool) -> None:
    assert lets_in(called, caller, called_out=called_out) is passes


def test_a_symmetric_nat_shows_each_peer_another_port() -> None:
    assert {port_behind(reach, 4000, other) for reach in (OPEN, CONE) for other in range(9)} == {4000}
    ports = {port_behind(SYMMETRIC, 4000, other) for other in range(2000)}
    assert len(ports) == 2000
    assert all(1024 <= port < 65536 for port in ports)


def test_without_loss_nothing_is_sent_again() -> None:
    assert not any(resends(0.0, 50_000, Random(seed)) for seed in range(100))


def test_large_messages_lose_a_packet_more_often() -> None:
    def share(size_bytes: int) -> float:
        luck = Random(1)
        return sum(resends(0.02, size_bytes, luck) > 0 for _ in range(4000)) / 4000

    assert share(100) == pytest.approx(0.02, abs=0.01)
    assert share(9 * PACKET_BYTES) == pytest.approx(1 - 0.98**10, abs=0.03)


def test_outages_come_as_often_and_last_as_long_as_said() -> None:
    weather = Weather(Line(outage_every_s=10, outage_s=0.5), Random(1))
    out = sum(weather.clear_at(at / 20) > at / 20 for at in range(200_000)) / 200_000
    assert out == pytest.approx(0.5 / 10.5, abs=0.01)


def test_a_line_without_outages_is_always_clear() -> None:
    assert Weather(Line(), Random(1)).clear_at(7.0) == 7.0
