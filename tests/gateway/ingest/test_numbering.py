"""Numbers that only grow."""

from gateway.ingest.numbering import Numbering

NOW_S = 1_800_000_000.5


def test_they_start_from_the_wall_clock() -> None:
    numbering = Numbering(unix_s=NOW_S, piece_s=0.2, segment_s=2.0)
    assert numbering.epoch == 1_800_000_000
    assert numbering.piece == 9_000_000_002
    assert numbering.segment == 50_000_000


def test_the_first_epoch_is_the_one_that_it_started_with() -> None:
    numbering = Numbering(unix_s=NOW_S, piece_s=0.2, segment_s=1.0)
    discontinuity = numbering.discontinuity
    numbering.begin_epoch(NOW_S + 5)
    assert (numbering.epoch, numbering.discontinuity) == (1_800_000_000, discontinuity)


def test_each_further_epoch_is_higher_even_within_one_second() -> None:
    numbering = Numbering(unix_s=NOW_S, piece_s=0.2, segment_s=1.0)
    discontinuity = numbering.discontinuity
    numbering.begin_epoch(NOW_S)
    numbering.begin_epoch(NOW_S)
    numbering.begin_epoch(NOW_S + 60)
    assert (numbering.epoch, numbering.discontinuity) == (1_800_000_060, discontinuity + 2)
    numbering.begin_epoch(NOW_S)
    assert numbering.epoch == 1_800_000_061


def test_segments_and_pieces_are_counted_without_gaps() -> None:
    numbering = Numbering(unix_s=NOW_S, piece_s=0.2, segment_s=1.0)
    piece, segment = numbering.piece, numbering.segment
    seen = []
    for _ in range(3):
        numbering.begin_segment()
        for _ in range(2):
            index = numbering.index
            seen.append((numbering.take() - piece, numbering.segment - segment, index))
    assert seen == [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1), (4, 2, 0), (5, 2, 1)]


def test_a_broadcaster_that_was_restarted_is_above_where_it_was() -> None:
    before = Numbering(unix_s=NOW_S, piece_s=0.2, segment_s=1.0)
    for n in range(50):
        if n % 5 == 0:
            before.begin_segment()
        before.take()
    after = Numbering(unix_s=NOW_S + 11, piece_s=0.2, segment_s=1.0)
    assert after.piece > before.piece
    assert after.segment > before.segment
