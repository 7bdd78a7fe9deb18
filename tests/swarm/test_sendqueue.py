"""The queue of one link: urgent first, late never, bounded always."""

from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.events import Urgency
from swarm.sendqueue import ALL_CLASSES, CONTROL_ONLY, DROPPABLE, SendQueue

PLENTY = 1 << 30


def test_the_more_urgent_class_goes_first_and_each_class_in_order() -> None:
    queue = SendQueue()
    queue.push(b"repair", Urgency.REPAIR, None)
    queue.push(b"stripe 1", Urgency.STRIPE, None)
    queue.push(b"catch up", Urgency.CATCH_UP, None)
    queue.push(b"control", Urgency.CONTROL, None)
    queue.push(b"stripe 2", Urgency.STRIPE, None)
    assert queue.take(0.0, PLENTY) == [b"control", b"stripe 1", b"stripe 2", b"catch up", b"repair"]
    assert queue.queued_bytes == 0


def test_a_budget_is_kept_to_the_message_that_exceeds_it() -> None:
    queue = SendQueue()
    for number in range(4):
        queue.push(bytes([number]) * 10, Urgency.STRIPE, None)
    assert len(queue.take(0.0, 11)) == 2
    assert queue.take(0.0, 0) == []
    assert queue.queued_bytes == 20
    assert len(queue.take(0.0, 1)) == 1


def test_what_is_late_is_dropped_when_its_turn_comes_and_not_before() -> None:
    queue = SendQueue()
    queue.push(b"late", Urgency.STRIPE, 1.0)
    queue.push(b"just in time", Urgency.STRIPE, 2.0)
    queue.push(b"patient", Urgency.STRIPE, None)
    assert queue.queued_bytes == 23
    assert queue.dropped_bytes == 0
    assert queue.take(2.0, PLENTY) == [b"just in time", b"patient"]
    assert queue.dropped_bytes == 4


def test_late_messages_use_no_budget() -> None:
    queue = SendQueue()
    queue.push(bytes(100), Urgency.STRIPE, 1.0)
    queue.push(b"now", Urgency.STRIPE, None)
    assert queue.take(5.0, 1) == [b"now"]


def test_the_classes_can_be_taken_apart() -> None:
    queue = SendQueue()
    queue.push(b"stripe", Urgency.STRIPE, None)
    queue.push(b"control", Urgency.CONTROL, None)
    assert queue.control_bytes == 7
    assert queue.take(0.0, PLENTY, CONTROL_ONLY) == [b"control"]
    assert queue.control_bytes == 0
    assert queue.take(0.0, PLENTY, DROPPABLE) == [b"stripe"]


def test_a_full_queue_drops_the_oldest_of_the_least_urgent() -> None:
    queue = SendQueue(limit_bytes=10)
    for data, urgency in ((b"aaaa", Urgency.REPAIR), (b"bbbb", Urgency.REPAIR), (b"cc", Urgency.STRIPE)):
        assert queue.push(data, urgency, None)
    assert queue.push(b"dddd", Urgency.CONTROL, None)
    assert queue.take(0.0, PLENTY) == [b"dddd", b"cc", b"bbbb"]
    assert queue.dropped_bytes == 4


def test_control_messages_are_never_dropped_and_the_overflow_is_told() -> None:
    queue = SendQueue(limit_bytes=10)
    assert queue.push(b"12345678", Urgency.CONTROL, None)
    assert queue.push(b"stripe", Urgency.STRIPE, None)
    assert not queue.push(b"12345678", Urgency.CONTROL, None)
    assert queue.take(0.0, PLENTY) == [b"12345678", b"12345678"]


Pushed = tuple[bytes, Urgency, float | None]
Taken = tuple[float, int]

pushes = st.tuples(
    st.binary(min_size=1, max_size=40), st.sampled_from(Urgency), st.none() | st.floats(0, 10, allow_nan=False)
)
takes = st.tuples(st.floats(0, 10, allow_nan=False), st.integers(0, 100))


@given(st.lists(pushes | takes, max_size=80), st.integers(40, 200))
@settings(deadline=None)
def test_no_byte_is_lost_from_the_books(steps: list[Pushed | Taken], limit_bytes: int) -> None:
    queue = SendQueue(limit_bytes)
    pushed = taken = 0
    for step in steps:
        if len(step) == 3:
            kept = queue.push(*step)
            pushed += len(step[0])
            assert kept == (queue.queued_bytes <= limit_bytes)
            assert kept or queue.queued_bytes == queue.control_bytes
        else:
            taken += sum(map(len, queue.take(*step)))
        assert pushed == taken + queue.queued_bytes + queue.dropped_bytes
    queue.take(0.0, PLENTY, ALL_CLASSES)
    assert queue.queued_bytes == queue.control_bytes == 0
    assert not queue
