"""Objects in any order come out in theirs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.errors import PushUnusable
from gateway.ingest.object_order import AHEAD_BYTES_MAX, AHEAD_MAX, OBJECTS_MAX, ObjectOrder


class Out:
    """What came out: bytes, and how many objects have ended."""

    def __init__(self) -> None:
        self.data = b""
        self.ends = 0
        self.order = ObjectOrder(self._take, self._end)

    def _take(self, data: bytes) -> None:
        self.data += data

    def _end(self) -> None:
        self.ends += 1

    def put(self, number: int, data: bytes) -> None:
        if self.order.begin(number):
            self.order.feed(number, data)
            self.order.end(number)


@given(st.permutations(range(1, AHEAD_MAX)), st.data())
def test_any_order_and_repeats_come_out_right(later: list[int], data: st.DataObject) -> None:
    out = Out()
    out.put(0, b"0")
    for number in later:
        out.put(number, str(number).encode())
        out.put(data.draw(st.sampled_from([0, number])), b"x")
    assert out.data == b"0123"
    assert out.ends == AHEAD_MAX


def test_the_one_whose_turn_it_is_goes_out_as_it_comes() -> None:
    out = Out()
    assert out.order.begin(5)
    assert out.order.begin(6)
    out.order.feed(6, b"d")
    out.order.feed(5, b"a")
    assert out.data == b"a"
    out.order.feed(5, b"b")
    out.order.end(5)
    out.order.feed(6, b"e")
    assert out.data == b"abde"


def test_one_that_never_comes_is_given_up() -> None:
    out = Out()
    out.put(0, b"0")
    for number in range(2, 2 + AHEAD_MAX):
        out.put(number, str(number).encode())
    assert out.data == b"02345"


def test_one_that_broke_off_may_come_again_unless_part_of_it_is_out() -> None:
    out = Out()
    out.put(0, b"0")
    out.order.begin(2)
    out.order.feed(2, b"bro")
    out.order.drop(2)
    out.put(2, b"2")
    out.order.begin(1)
    out.order.feed(1, b"part")
    out.order.drop(1)
    assert out.data == b"0part2"
    assert out.ends == 3


def test_what_waits_is_bounded() -> None:
    out = Out()
    out.put(0, b"0")
    out.order.begin(2)
    with pytest.raises(PushUnusable, match="out of order"):
        out.order.feed(2, bytes(AHEAD_BYTES_MAX + 1))


def test_an_encoder_that_was_started_anew_is_recognised() -> None:
    out = Out()
    for number in range(4):
        out.put(number, b"x")
    assert out.order.starts_anew(0)
    assert not out.order.starts_anew(3)
    for number in range(4, 20):
        out.put(number, b"x")
    assert out.order.starts_anew(5)
    assert not out.order.starts_anew(17)


def test_behind_a_slow_object_only_so_many_begin() -> None:
    out = Out()
    for number in range(OBJECTS_MAX):
        assert out.order.begin(number)
    with pytest.raises(PushUnusable, match="one after the other"):
        out.order.begin(OBJECTS_MAX)


def test_a_number_far_ahead_is_of_another_encoder_when_the_init_segment_came_again() -> None:
    out = Out()
    out.put(5, b"a")
    assert out.order.starts_anew(500, init_again=True)
    assert not out.order.starts_anew(500)
    assert not out.order.starts_anew(7, init_again=True)
