"""Packets go out in order; what is missing is asked for, waited for, and given up."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.webrtc.reordering import AHEAD_MAX, ASKS_MAX, Reception, Reordering
from gateway.ingest.webrtc.rtp import RtpPacket, SenderReport


def packet(number: int, timestamp: int = 0) -> RtpPacket:
    return RtpPacket(96, False, number & 0xFFFF, timestamp, 7, b"")


def numbers(packets: list[RtpPacket | None]) -> list[int | None]:
    return [found.sequence if found is not None else None for found in packets]


def test_packets_that_overtake_each_other_go_out_in_order() -> None:
    order = Reordering(wait_s=1)
    assert numbers(order.add(packet(65535), 0)) == [65535]
    assert order.add(packet(1), 0) == []
    assert numbers(order.add(packet(0), 0)) == [0, 1]
    assert order.add(packet(0), 0) == []


def test_what_is_missing_is_asked_for_some_times_and_then_given_up() -> None:
    order = Reordering(wait_s=2)
    order.add(packet(1), 0)
    order.add(packet(4), 0)
    assert order.to_ask(0) == []
    asked = [order.to_ask(now / 100) for now in range(2, 200)]
    assert [lost for lost in asked if lost] == [[2, 3]] * ASKS_MAX
    assert order.release(1.9) == []
    assert numbers(order.release(2)) == [None, 4]
    assert order.to_ask(3) == []


def test_a_leap_begins_anew() -> None:
    order = Reordering(wait_s=1)
    order.add(packet(1), 0)
    order.add(packet(3), 0)
    assert numbers(order.add(packet(3 + AHEAD_MAX), 0)) == [None, 3 + AHEAD_MAX]
    assert order.to_ask(9) == []


@given(st.permutations(range(12)), st.integers(0, 65535))
def test_any_order_becomes_the_right_one(order: list[int], first: int) -> None:
    reordering = Reordering(wait_s=1)
    out = reordering.add(packet(first), 0)
    for step in order:
        out += reordering.add(packet(first + 1 + step), 0)
    assert numbers(out) == [first + step & 0xFFFF for step in range(13)]


@given(st.lists(st.tuples(st.integers(0, 65535), st.floats(0, 0.2)), max_size=80))
def test_what_is_held_is_bounded_and_goes_out_in_time(steps: list[tuple[int, float]]) -> None:
    order, now = Reordering(wait_s=0.5), 0.0
    for number, pause_s in steps:
        now += pause_s
        order.add(packet(number), now)
        assert len(order.to_ask(now)) <= 128
    order.release(now + 0.6)
    assert order.release(now + 0.6) == []
    assert order.to_ask(now + 9) == []


def test_a_report_tells_of_losses_and_of_the_senders_report() -> None:
    reception = Reception(90_000)
    for number in (0, 1, 3):
        reception.packet(packet(number, timestamp=number * 3600), number * 0.04)
    reception.sender_report(SenderReport(7, 0x12345678_9ABCDEF0, 0), 1.0)
    report = reception.report(7, 3, 1.5)
    assert (report.lost, report.fraction_lost, report.highest) == (1, 64, 3)
    assert (report.last_report, report.delay) == (0x56789ABC, 32768)
    assert report.jitter == 0
    assert reception.report(7, 3, 1.5).fraction_lost == 0
