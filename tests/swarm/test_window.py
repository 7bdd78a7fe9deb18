"""The ring of recent pieces."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm import wire
from swarm.coding import code
from swarm.errors import MalformedMessage, ProofError, RemoteError
from swarm.identity import Identity
from swarm.merkle import tree
from swarm.pieces import HEADER_BYTES, PieceHeader, SealedPiece, make_piece, signed_bytes, swarm_tag
from swarm.reading import Reader
from swarm.units import StreamId
from swarm.window import AHEAD_MAX, BYTES_MAX, GAP_MAX, PIECES_MAX, STALE_S, Verdict, Window

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)
TAG = swarm_tag(STREAM, 0)


class Gullible(Reader):
    """Believes every signature, so that a test can make up piece numbers."""

    def signed(self, header: PieceHeader, stream: StreamId) -> bool:
        return True


def window() -> Window:
    return Window(STREAM, TAG)


def piece(
    number: int, *, epoch: int = 1, key: bool = False, payload: bytes = b"", k: int = 4, n: int = 6, rendition: int = 0
) -> SealedPiece:
    return make_piece(
        payload or b"payload %d" % number,
        stream=STREAM,
        rendition=rendition,
        epoch=epoch,
        number=number,
        key=key,
        capture_us=number * 200_000,
        duration_us=200_000,
        k=k,
        n=n,
        owner=OWNER,
    )


def block(sealed: SealedPiece, index: int) -> bytes:
    return wire.encode_block(sealed.header_bytes, index, sealed.paths[index], sealed.blocks[index])


def admit(ring: Window, sealed: SealedPiece, index: int = 0, now: float = 0.0) -> Verdict:
    return ring.admit(block(sealed, index), now)[0]


def assert_nothing_stored(ring: Window) -> None:
    assert list(ring.entries()) == []
    assert (ring.newest, ring.start_key(), ring.epoch) == (0, 0, 0)


# -- verified before stored


def test_a_header_with_a_bad_signature_is_a_broken_proof() -> None:
    ring, sealed = window(), piece(7)
    forged = replace(sealed, header_bytes=sealed.header_bytes[:-1] + bytes([sealed.header_bytes[-1] ^ 1]))
    with pytest.raises(ProofError):
        admit(ring, forged)
    assert_nothing_stored(ring)


def test_another_streams_key_signs_nothing_here() -> None:
    ring, sealed, thief = window(), piece(7), Identity(b"t" * 32)
    header = replace(sealed.header, signature=thief.sign(signed_bytes(sealed.header, STREAM)))
    with pytest.raises(ProofError):
        admit(ring, replace(sealed, header_bytes=header.encode()))
    assert_nothing_stored(ring)


def test_another_swarms_block_is_malformed() -> None:
    ring = window()
    with pytest.raises(MalformedMessage):
        admit(ring, piece(7, rendition=1))
    assert_nothing_stored(ring)


def test_a_bad_path_is_a_broken_proof_and_the_block_is_not_stored() -> None:
    ring, sealed = window(), piece(7)
    with pytest.raises(ProofError):
        ring.admit(wire.encode_block(sealed.header_bytes, 0, sealed.paths[1], sealed.blocks[0]), 0.0)
    entry = ring.get(7)
    assert entry is not None
    assert (entry.held, entry.messages) == (0, {})


def test_a_block_under_another_index_is_a_broken_proof() -> None:
    ring, sealed = window(), piece(7)
    with pytest.raises(ProofError):
        ring.admit(wire.encode_block(sealed.header_bytes, 2, sealed.paths[0], sealed.blocks[0]), 0.0)


def test_an_index_past_the_last_block_is_malformed() -> None:
    ring, sealed = window(), piece(7)
    with pytest.raises(MalformedMessage):
        ring.admit(wire.encode_block(sealed.header_bytes, 6, sealed.paths[0], sealed.blocks[0]), 0.0)


@pytest.mark.parametrize("change", [b"more", b""], ids=["longer", "shorter"])
def test_a_block_of_the_wrong_size_is_malformed(change: bytes) -> None:
    ring, sealed = window(), piece(7)
    payload = sealed.blocks[0] + change if change else sealed.blocks[0][:-1]
    with pytest.raises(MalformedMessage):
        ring.admit(wire.encode_block(sealed.header_bytes, 0, sealed.paths[0], payload), 0.0)


def test_a_changed_byte_in_the_payload_is_a_broken_proof_even_beside_good_blocks() -> None:
    ring, sealed = window(), piece(7)
    admit(ring, sealed, 0)
    spoilt = bytes([sealed.blocks[1][0] ^ 1]) + sealed.blocks[1][1:]
    with pytest.raises(ProofError):
        ring.admit(wire.encode_block(sealed.header_bytes, 1, sealed.paths[1], spoilt), 0.0)
    for index in (1, 2, 3):
        admit(ring, sealed, index)
    entry = ring.get(7)
    assert entry is not None
    assert entry.payload == b"payload 7"


@given(st.binary(max_size=2 * HEADER_BYTES))
def test_any_bytes_raise_nothing_but_remote_errors(data: bytes) -> None:
    ring = window()
    with pytest.raises(RemoteError):
        ring.admit(data, 0.0)
    assert_nothing_stored(ring)


def test_a_signature_is_checked_once_a_piece() -> None:
    checked: list[int] = []

    class Counting(Reader):
        def signed(self, header: PieceHeader, stream: StreamId) -> bool:
            checked.append(header.number)
            return super().signed(header, stream)

    ring, sealed = Window(STREAM, TAG, Counting()), piece(7)
    for index in range(6):
        admit(ring, sealed, index)
    assert len(checked) == 1


# -- from blocks to pieces


@pytest.mark.parametrize("chosen", list(combinations(range(5), 3)))
def test_any_k_blocks_give_the_payload(chosen: tuple[int, ...]) -> None:
    ring, sealed = window(), piece(9, payload=b"0123456789", k=3, n=5)
    verdicts = [admit(ring, sealed, index, now=float(at)) for at, index in enumerate(chosen)]
    entry = ring.get(9)
    assert verdicts == [Verdict.NEW, Verdict.NEW, Verdict.COMPLETED]
    assert entry is not None
    assert (entry.payload, entry.first_seen_s, entry.completed_s) == (b"0123456789", 0.0, 2.0)
    assert ring.newest_complete == 9


@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 5), (3, 3), (64, 64)])
def test_codes_at_the_edge_work(k: int, n: int) -> None:
    ring, sealed = window(), piece(9, payload=bytes(range(100)), k=k, n=n)
    verdicts = [admit(ring, sealed, index) for index in range(n)]
    assert verdicts[k - 1] is Verdict.COMPLETED
    assert verdicts[k:] == [Verdict.NEW] * (n - k)
    entry = ring.get(9)
    assert entry is not None
    ring.regrow(entry)
    assert entry.payload == bytes(range(100))


def test_a_block_that_came_before_is_a_duplicate() -> None:
    ring, sealed = window(), piece(7)
    assert admit(ring, sealed) is Verdict.NEW
    assert admit(ring, sealed) is Verdict.DUPLICATE


def test_regrown_blocks_hold_at_the_next_peer() -> None:
    ring, sealed, next_ring = window(), piece(7), window()
    for index in (0, 2, 4, 5):
        admit(ring, sealed, index)
    entry = ring.get(7)
    assert entry is not None
    ring.regrow(entry)
    assert entry.held == 0b111111
    verdicts = [next_ring.admit(entry.messages[index], 0.0)[0] for index in (1, 3, 0, 2)]
    assert verdicts[-1] is Verdict.COMPLETED


def broken_piece(number: int) -> SealedPiece:
    """Signed by the source, but its parity is of another payload."""
    sealed = piece(number, payload=b"abcdefgh", k=2, n=4)
    blocks = sealed.blocks[:2] + code(2, 4).encode(b"ABCDEFGH")[2:]
    root, paths = tree(blocks)
    header = replace(sealed.header, root=root)
    header = replace(header, signature=OWNER.sign(signed_bytes(header, STREAM)))
    return SealedPiece(header, header.encode(), blocks, paths)


def test_a_source_that_signs_a_broken_code_is_found_out_when_blocks_are_made_again() -> None:
    ring, sealed = window(), broken_piece(7)
    for index in (0, 2):
        admit(ring, sealed, index)
    entry = ring.get(7)
    assert entry is not None
    with pytest.raises(ProofError):
        ring.regrow(entry)
    assert entry.held == 0b0101


def test_a_piece_of_our_own_is_whole_at_once() -> None:
    ring = window()
    entry = ring.put(piece(7, key=True), b"payload 7", 1.0)
    assert (entry.held, entry.payload, ring.newest, ring.start_key()) == (0b111111, b"payload 7", 7, 7)


# -- order


def test_pieces_may_come_out_of_order() -> None:
    ring = window()
    assert [admit(ring, piece(n)) for n in (50, 48, 49, 52)] == [Verdict.NEW] * 4
    assert [entry.number for entry in ring.since(49)] == [49, 50, 51, 52]
    assert ring.newest == 52


def test_a_short_gap_counts_as_missing_and_a_long_one_does_not() -> None:
    ring = window()
    admit(ring, piece(100))
    admit(ring, piece(100 + GAP_MAX))
    assert len(ring.since(100)) == GAP_MAX + 1
    admit(ring, piece(101 + 2 * GAP_MAX))
    assert len(ring.since(100)) == GAP_MAX + 2


def test_what_is_older_than_the_ring_is_too_late() -> None:
    ring = window()
    admit(ring, piece(1000))
    assert admit(ring, piece(1000 - PIECES_MAX)) is Verdict.TOO_LATE
    assert admit(ring, piece(1001 - PIECES_MAX)) is Verdict.NEW


def test_what_is_far_ahead_is_refused_while_pieces_flow() -> None:
    ring = window()
    admit(ring, piece(1000), now=10.0)
    assert admit(ring, piece(1001 + AHEAD_MAX), now=10.1) is Verdict.TOO_LATE
    assert ring.newest == 1000


def test_what_is_far_ahead_is_taken_after_a_long_silence() -> None:
    ring = window()
    admit(ring, piece(1000), now=10.0)
    assert admit(ring, piece(5000), now=10.0 + STALE_S) is Verdict.NEW
    assert ring.newest == 5000


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_the_ring_is_bounded(numbers: list[int]) -> None:
    ring = Window(STREAM, TAG, Gullible())
    sealed = piece(1)
    for number in numbers:
        header = replace(sealed.header, number=number).encode()
        ring.admit(wire.encode_block(header, 0, sealed.paths[0], sealed.blocks[0]), 0.0)
        assert len(list(ring.entries())) <= PIECES_MAX
        assert ring.newest == max(entry.number for entry in ring.entries())


def test_a_late_number_after_a_jump_does_not_grow_the_ring() -> None:
    ring = Window(STREAM, TAG, Gullible())
    sealed = piece(1)
    jump = 90 + GAP_MAX + PIECES_MAX
    for number in [*range(1, 91), *range(jump, jump - PIECES_MAX, -1)]:
        header = replace(sealed.header, number=number).encode()
        ring.admit(wire.encode_block(header, 0, sealed.paths[0], sealed.blocks[0]), 0.0)
    assert len(list(ring.entries())) <= PIECES_MAX


# -- epochs


def test_an_older_epoch_is_too_late() -> None:
    ring = window()
    admit(ring, piece(50, epoch=2))
    assert admit(ring, piece(51, epoch=1)) is Verdict.TOO_LATE


def test_a_new_epoch_with_higher_numbers_keeps_what_is_there_and_misses_nothing_between() -> None:
    ring = window()
    admit(ring, piece(50))
    admit(ring, piece(60, epoch=2))
    assert [entry.number for entry in ring.since(0)] == [50, 60]
    assert (ring.epoch, ring.newest) == (2, 60)


def test_a_new_epoch_with_lower_numbers_starts_over() -> None:
    ring = window()
    admit(ring, piece(50, key=True))
    admit(ring, piece(10, epoch=2))
    assert [entry.number for entry in ring.since(0)] == [10]
    assert (ring.epoch, ring.newest, ring.start_key(), ring.newest_complete) == (2, 10, 0, 0)
    assert admit(ring, piece(51)) is Verdict.TOO_LATE


def test_an_epoch_that_nobody_signed_changes_nothing() -> None:
    ring = window()
    admit(ring, piece(50))
    forged = replace(piece(51).header, epoch=9).encode()
    with pytest.raises(ProofError):
        ring.admit(wire.encode_block(forged, 0, piece(51).paths[0], piece(51).blocks[0]), 0.0)
    assert (ring.epoch, ring.newest) == (1, 50)


def test_two_signed_headers_for_one_number_are_counted_and_not_mixed() -> None:
    ring, first, second = window(), piece(7, payload=b"one payload"), piece(7, payload=b"its opposite")
    admit(ring, first, 0)
    assert admit(ring, second, 1) is Verdict.TOO_LATE
    assert ring.equivocations == 1
    for index in (1, 2, 3):
        admit(ring, first, index)
    entry = ring.get(7)
    assert entry is not None
    assert entry.payload == b"one payload"


# -- giving up


def test_what_is_late_is_given_up_once_and_still_taken_if_it_comes() -> None:
    ring, sealed = window(), piece(7)
    admit(ring, sealed, 0, now=1.0)
    assert ring.give_up(1.0) == []
    assert [entry.number for entry in ring.give_up(1.1)] == [7]
    assert ring.give_up(9.0) == []
    assert [admit(ring, sealed, index, now=9.0) for index in (1, 2, 3)][-1] is Verdict.COMPLETED


def test_whole_pieces_are_not_given_up() -> None:
    ring = window()
    ring.put(piece(7), b"payload 7", 0.0)
    assert ring.give_up(99.0) == []


def test_given_up_pieces_come_in_order() -> None:
    ring = window()
    for number in (9, 7, 8):
        admit(ring, piece(number))
    assert [entry.number for entry in ring.give_up(1.0)] == [7, 8, 9]


def test_the_next_piece_can_be_expected_before_a_block_of_it_came() -> None:
    ring = window()
    ring.expect_next(0.0)
    assert list(ring.entries()) == []
    admit(ring, piece(7))
    ring.expect_next(1.0)
    assert [entry.number for entry in ring.since(8)] == [8]
    assert admit(ring, piece(8)) is Verdict.NEW


def test_hearsay_leads_no_further_than_a_gap_past_what_is_signed() -> None:
    ring = window()
    admit(ring, piece(7))
    for _ in range(5 * GAP_MAX):
        ring.expect_next(1.0)
    assert ring.newest == 7 + GAP_MAX
    assert admit(ring, piece(8)) is Verdict.NEW


def test_a_joiner_starts_at_the_last_key_frame() -> None:
    ring = window()
    for number in range(100, 113):
        admit(ring, piece(number, key=number % 5 == 0))
    assert ring.start_key() == 110


def test_however_large_pieces_are_the_ring_stays_within_its_bytes() -> None:
    ring = window()
    payload = bytes(1 << 20)
    for number in range(1, 40):
        admit(ring, piece(number, payload=payload, k=2, n=8))
    assert [entry.number for entry in ring.since(0)] == list(range(39 - BYTES_MAX // (5 << 20) + 1, 40))
