"""Boxes are read where they lie, and never past their end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.boxes import make_box, read_boxes, read_header
from gateway.media.errors import MediaError

kinds = st.binary(min_size=4, max_size=4)


@given(st.lists(st.tuples(kinds, st.binary(max_size=64)), max_size=6))
def test_boxes_made_are_boxes_read(content: list[tuple[bytes, bytes]]) -> None:
    data = b"".join(make_box(kind, body) for kind, body in content)
    boxes = list(read_boxes(memoryview(data), 0, len(data)))
    assert [(box.kind, box.octets(0)) for box in boxes] == content


@given(st.binary(max_size=200))
def test_any_bytes_are_boxes_or_a_media_error(data: bytes) -> None:
    try:
        boxes = list(read_boxes(memoryview(data), 0, len(data)))
    except MediaError:
        return
    assert sum(box.end - box.start for box in boxes) == len(data)


def test_a_box_with_a_64_bit_size_is_read() -> None:
    data = b"\0\0\0\1mdat" + (20).to_bytes(8, "big") + b"abcd"
    (box,) = read_boxes(memoryview(data), 0, len(data))
    assert (box.kind, box.octets(0)) == (b"mdat", b"abcd")


@pytest.mark.parametrize("size", [0, 2, 7])
def test_a_size_below_the_header_is_refused(size: int) -> None:
    with pytest.raises(MediaError, match="no fragmented MP4"):
        read_header(memoryview(size.to_bytes(4, "big") + b"moof"), 0, 8)


def test_a_header_that_is_not_whole_waits_for_more() -> None:
    assert read_header(memoryview(b"\0\0\0\x10moo"), 0, 7) is None
    assert read_header(memoryview(b"\0\0\0\1mdat\0\0"), 0, 10) is None


@pytest.mark.parametrize("read", ["u8", "u16", "u32", "u64"])
def test_reading_past_the_end_of_a_box_is_refused_though_more_bytes_follow(read: str) -> None:
    data = make_box(b"free") + bytes(16)
    box = next(read_boxes(memoryview(data), 0, len(data)))
    with pytest.raises(MediaError, match="free box ends too early"):
        getattr(box, read)(0)


def test_a_missing_child_is_named() -> None:
    data = make_box(b"moov", make_box(b"trak"))
    box = next(read_boxes(memoryview(data), 0, len(data)))
    assert box.child(b"trak").kind == b"trak"
    with pytest.raises(MediaError, match="no mdia box in trak"):
        box.child(b"trak", b"mdia")
