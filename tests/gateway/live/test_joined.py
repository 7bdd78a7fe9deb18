"""Bytes are joined once, within bounds, and are the ones that were asked for."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.live import joined
from gateway.live.joined import Joined
from tests.gateway.media_fixture import live


def test_all_players_get_the_same_bytes() -> None:
    window = live()
    for track in (None, 1, 2):
        assert window.segment(101, track)[0] is window.segment(101, track)[0]
        assert window.part(101, 2, track)[0] is window.part(101, 2, track)[0]
    assert len({bytes(window.part(101, 2, track)[0]) for track in (None, 1, 2)}) == 3


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=50))
def test_what_is_kept_is_right_and_bounded(asked: list[tuple[int, int]]) -> None:
    kept = Joined()
    unit = joined.BYTES_MAX // 3
    for key, thirds in asked:
        buffers = [bytes([key]) * 9, bytes([thirds]) * (unit * thirds)]
        got = kept.get((key, thirds), buffers)
        assert b"".join(got) == b"".join(buffers)
        assert kept.size_bytes <= joined.BYTES_MAX


def test_nothing_is_not_kept() -> None:
    kept = Joined()
    assert not kept.get(1, ())
    assert b"".join(kept.get(1, [b"now"])) == b"now"
