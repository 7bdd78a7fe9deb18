"""Pieces come out in the order of their numbers, each once, and a missing one is waited for no longer than needed."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.live.order import HELD_MAX, LONG_GAP, LONG_GAP_PATIENCE_S, PATIENCE_S, Piece, PieceOrder
from gateway.media.payload import PieceSlice

EPOCHS = {7: None, 8: None}


def piece(number: int, *, epoch: int = 7, index: int | None = None) -> Piece:
    """Piece 100 starts a segment, and so does every fifth after it."""
    content = PieceSlice(segment=0, index=(number % 5 if index is None else index), discontinuity=0, parts=())
    return Piece(number=number, epoch=epoch, capture_us=0, duration_us=0, content=content)


def take(order: PieceOrder, now: float = 0.0) -> list[tuple[int, int]]:
    return [(arrival.piece.number, arrival.missed) for arrival in order.take(EPOCHS, now)]


@given(st.permutations(range(100, 115)))
def test_any_order_after_the_first_comes_out_in_order(numbers: list[int]) -> None:
    order = PieceOrder()
    order.add(piece(100))
    taken = take(order)
    for number in numbers:
        order.add(piece(number))
        taken += take(order)
    assert taken == [(number, 0) for number in range(100, 115)]


def test_it_opens_at_the_first_piece_that_starts_a_segment() -> None:
    order = PieceOrder()
    for number in (103, 107, 108):
        order.add(piece(number))
    assert take(order) == []
    order.add(piece(106))
    order.add(piece(105))
    assert [number for number, _ in take(order)] == [105, 106, 107, 108]
    assert not order.add(piece(104))


def test_a_late_or_second_copy_is_refused() -> None:
    order = PieceOrder()
    assert order.add(piece(100))
    assert not order.add(piece(100))
    take(order)
    assert not order.add(piece(100))
    assert not order.add(piece(99))


def test_lost_pieces_are_counted_before_the_next() -> None:
    order = PieceOrder()
    for number in (100, 103, 104):
        order.add(piece(number))
    assert take(order) == [(100, 0)]
    order.lose(101)
    assert take(order) == []
    order.lose(102)
    assert take(order) == [(103, 2), (104, 0)]


def test_patience_ends_and_starts_anew_with_each_hole() -> None:
    order = PieceOrder()
    for number in (100, 102, 104):
        order.add(piece(number))
    assert take(order, 10.0) == [(100, 0)]
    assert take(order, 10.0 + PATIENCE_S - 0.1) == []
    assert take(order, 10.0 + PATIENCE_S) == [(102, 1)]
    assert take(order, 10.0 + PATIENCE_S + 1) == []
    assert take(order, 10.0 + 2 * PATIENCE_S) == [(104, 1)]


def test_an_outage_takes_less_patience() -> None:
    order = PieceOrder()
    order.add(piece(100))
    order.add(piece(101 + LONG_GAP + 1))
    assert take(order, 0.0) == [(100, 0)]
    assert take(order, LONG_GAP_PATIENCE_S) == [(101 + LONG_GAP + 1, LONG_GAP + 1)]


def test_an_epoch_that_goes_on_counting_waits_for_the_last_piece_of_the_one_before() -> None:
    order = PieceOrder()
    order.add(piece(100))
    order.add(piece(102, epoch=8, index=0))
    assert take(order) == [(100, 0)]
    order.add(piece(101))
    assert take(order) == [(101, 0), (102, 0)]


def test_an_epoch_that_counts_from_elsewhere_begins_at_once() -> None:
    for number in (5, 900):
        order = PieceOrder()
        order.add(piece(100))
        order.add(piece(number, epoch=8, index=0))
        assert take(order) == [(100, 0), (number, 0)]


def test_pieces_wait_for_their_epoch_s_description() -> None:
    order = PieceOrder()
    order.add(piece(100, epoch=9))
    assert order.take(EPOCHS, 0.0) == []
    assert [arrival.piece.epoch for arrival in order.take({9: None}, 0.0)] == [9]


def test_an_epoch_that_was_never_described_blocks_no_later_one() -> None:
    order = PieceOrder()
    order.add(piece(100, epoch=6))
    assert take(order) == []
    order.add(piece(100))
    take(order)
    order.add(piece(101, epoch=8, index=0))
    order.add(piece(102, epoch=9, index=0))
    described = {7: None, 9: None}
    assert [arrival.piece.epoch for arrival in order.take(described, 0.0)] == [9]


def test_what_is_held_is_bounded() -> None:
    order = PieceOrder()
    order.add(piece(100))
    take(order)
    for number in range(102, 102 + 2 * HELD_MAX):
        order.add(piece(number))
        order.lose(number + 10_000)
    newest = 101 + 2 * HELD_MAX
    assert take(order, 0.0) == []
    assert take(order, PATIENCE_S)[0][0] == newest - HELD_MAX + 1
