"""A window that follows a choice: one rendition at a time, changed at segment borders, nothing twice, nothing lost."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.live import LiveWindow
from gateway.live.follower import HURRY_S, Follower
from gateway.live.order import Piece, edition
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, PIECES_PER_SEGMENT, slices, stream

EPOCH = 7
LOW, HIGH = stream(seconds=8, size="160x90"), stream(seconds=8, size="320x180")
RENDITIONS = (slices(LOW), slices(HIGH))
PIECES = 40


def piece(rendition: int, at: int) -> Piece:
    return Piece(
        number=1000 + at,
        epoch=EPOCH,
        capture_us=CAPTURE_US + at * PIECE_US,
        duration_us=PIECE_US,
        content=RENDITIONS[rendition][at],
        rendition=rendition,
    )


def follower() -> Follower:
    window = LiveWindow(30)
    for rendition, source in enumerate((LOW, HIGH)):
        window.set_description(EPOCH, source.description, rendition)
    return Follower(window)


def inits(window: LiveWindow) -> list[str]:
    """The init segment that holds for each whole segment of the playlist."""
    found, current = [], ""
    for line in window.playlist(None).decode().splitlines():
        if line.startswith("#EXT-X-MAP"):
            current = line.partition('"')[2].rstrip('"')
        elif line.startswith("muxed/"):
            found.append(current)
    return found


def init_of(rendition: int) -> str:
    return f"init-{edition(EPOCH, rendition)}.mp4"


def test_the_change_is_at_the_next_border_and_marked() -> None:
    following = follower()
    following.follow(0, [], 0.0)
    for at in range(13):
        following.add(piece(0, at), at * 0.2)
    following.follow(1, [], 2.6)
    assert following.needed == {0, 1}
    for at in range(13, 31):
        following.add(piece(0, at), at * 0.2)
        following.add(piece(1, at), at * 0.2)
    assert following.playing == 1
    assert following.needed == {1}
    assert inits(following.window) == [init_of(0)] * 3 + [init_of(1)] * 3
    text = following.window.playlist(None)
    assert text.count(b"#EXT-X-DISCONTINUITY\n") == 1
    assert b"GAP" not in text
    assert b"#EXT-X-MEDIA-SEQUENCE:100" in text


def test_going_down_begins_where_the_lower_one_is_whole_already() -> None:
    following = follower()
    following.follow(1, [], 0.0)
    for at in range(12):
        following.add(piece(1, at), at * 0.2)
    # The higher one is missing piece 12; the lower one has come up to piece 21.
    for at in range(13, 22):
        following.add(piece(1, at), at * 0.2)
    lower = [piece(0, at) for at in range(10, 22)]
    following.follow(0, lower, 4.4)
    following.hurry(4.4 + HURRY_S)
    assert following.playing == 0
    assert inits(following.window) == [init_of(1)] * 3 + [init_of(0)]
    assert following.window.has(104, 1)


def test_a_change_that_is_taken_back_costs_nothing() -> None:
    following = follower()
    following.follow(0, [], 0.0)
    came = []
    for at in range(PIECES):
        came.append(piece(0, at))
        following.add(came[-1], at * 0.2)
        if at == 12:
            following.follow(1, [], at * 0.2)
        if at == 17:
            following.follow(0, came, at * 0.2)
    assert following.needed == {0}
    assert set(inits(following.window)) == {init_of(0)}
    assert following.window.has(107, 4)
    assert b"GAP" not in following.window.playlist(None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, PIECES - 1), st.integers(0, 1)), max_size=6), st.randoms())
def test_whatever_is_chosen_all_segments_are_whole_and_of_one_rendition(
    changes: list[tuple[int, int]], luck: Random
) -> None:
    following = follower()
    following.follow(0, [], 0.0)
    came: tuple[list[Piece], list[Piece]] = ([], [])
    wishes = dict(changes)
    for at in range(PIECES):
        for rendition in luck.sample((0, 1), 2):
            came[rendition].append(piece(rendition, at))
            following.add(came[rendition][-1], at * 0.2)
        if at in wishes:
            following.follow(wishes[at], came[wishes[at]], at * 0.2)
    window = following.window
    assert window.has(100 + PIECES // PIECES_PER_SEGMENT - 1, 4)
    sizes = [len(b"".join(bytes(b) for b in window.segment(msn, None))) for msn in range(100, 107)]
    for segment, size in enumerate(sizes):
        wholes = [size_of(rendition, segment) for rendition in (0, 1)]
        assert size in wholes


def size_of(rendition: int, segment: int) -> int:
    """A whole segment's bytes in one rendition."""
    alone = follower()
    alone.follow(rendition, [], 0.0)
    for at in range(PIECES):
        alone.add(piece(rendition, at), at * 0.2)
    return len(b"".join(bytes(b) for b in alone.window.segment(100 + segment, None)))
