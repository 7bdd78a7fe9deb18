"""Slots and segments give each player the bytes of what it plays."""

from gateway.live.order import Piece
from gateway.live.segments import Segment, gap_slot, make_slot
from gateway.media.muxing import mux
from gateway.media.parts import InitSegment
from tests.gateway.media_fixture import CAPTURE_US, slices, stream


def segment_of(*indexes: int) -> Segment:
    """A segment with these pieces of a real stream, and gaps for those that are negative."""
    source = stream()
    segment = Segment(msn=5, epoch=7, discontinuity=2, capture_us=CAPTURE_US, init=source.init)
    for index in indexes:
        content = slices(source)[index]
        piece = Piece(number=index, epoch=7, capture_us=CAPTURE_US, duration_us=0, content=content)
        slot = make_slot(piece.content.parts, source.init) if index >= 0 else gap_slot(0.2)
        assert slot is not None
        segment.slots.append(slot)
    return segment


def test_bytes_by_track_and_of_all() -> None:
    pieces = slices(stream())
    segment = segment_of(0, 1)
    assert b"".join(segment.buffers(None)) == mux(pieces[0].parts) + mux(pieces[1].parts)
    audio = [part.data for piece in pieces[:2] for part in piece.parts if part.track == 2]
    assert b"".join(segment.buffers(2)) == b"".join(audio)
    assert segment.buffers(9) == []
    assert segment.size_bytes == sum(len(part.data) for piece in pieces[:2] for part in piece.parts)


def test_the_picture_comes_first_in_what_is_muxed_whatever_the_order_of_the_tracks() -> None:
    source = stream()
    (content, *_) = slices(source)
    sound_first = InitSegment(data=source.init.data, tracks=source.init.tracks[::-1])
    slot = make_slot(content.parts, sound_first)
    assert slot is not None
    assert b"".join(slot.muxed) == mux(sorted(content.parts, key=lambda part: part.track))
    assert b"".join(slot.muxed) != mux(sorted(content.parts, key=lambda part: -part.track))


def test_muxing_happens_once() -> None:
    (slot,) = segment_of(0).slots
    assert slot.buffers(None) is slot.buffers(None)


def test_a_segment_with_a_gap_keeps_what_it_has() -> None:
    segment = segment_of(0, -1, 2)
    line = segment.line(None)
    assert [part.gap for part in line.parts] == [False, True, False]
    assert not line.gap
    assert abs(line.duration_s - 0.6) < 1e-9
    pieces = slices(stream())
    assert b"".join(segment.buffers(None)) == mux(pieces[0].parts) + mux(pieces[2].parts)


def test_a_segment_of_gaps_is_a_gap() -> None:
    assert segment_of(-1, -1).line(None).gap
    assert segment_of().line(1).gap


def test_video_parts_are_independent_at_key_frames_and_audio_parts_always() -> None:
    segment = segment_of(0, 1)
    assert [part.independent for part in segment.line(None).parts] == [True, False]
    assert [part.independent for part in segment.line(1).parts] == [True, False]
    assert [part.independent for part in segment.line(2).parts] == [True, True]


def test_a_track_s_parts_have_their_own_length() -> None:
    audio = segment_of(1).line(2).parts[0]
    part = next(part for part in slices(stream())[1].parts if part.track == 2)
    assert audio.duration_s == part.duration / 48_000
    assert segment_of(1).line(1).parts[0].duration_s == 0.2


def test_a_track_without_a_part_in_a_piece_has_a_gap() -> None:
    source = stream()
    (content, *_) = slices(source)
    only_video = tuple(part for part in content.parts if part.track == 1)
    changed = type(content)(segment=0, index=0, discontinuity=0, parts=only_video)
    slot = make_slot(changed.parts, source.init)
    assert slot is not None
    assert slot.line(2, picture=False).gap
    assert not slot.line(None, picture=True).gap


def test_the_line_of_a_growing_segment_grows_and_that_of_a_whole_one_is_kept() -> None:
    segment = segment_of(0)
    assert len(segment.line(None).parts) == 1
    segment.slots += segment_of(1).slots
    assert len(segment.line(None).parts) == 2
    segment.complete = True
    assert segment.line(None) is segment.line(None)


def test_a_piece_without_the_lead_track_has_no_place() -> None:
    source = stream()
    content = slices(source)[0]
    audio = tuple(part for part in content.parts if part.track == 2)
    changed = type(content)(segment=0, index=0, discontinuity=0, parts=audio)
    piece = Piece(number=0, epoch=7, capture_us=0, duration_us=0, content=changed)
    assert make_slot(piece.content.parts, source.init) is None
    sound_only = InitSegment(data=source.init.data, tracks=source.init.tracks[1:])
    assert make_slot(piece.content.parts, sound_only) is not None
