"""What is muxed plays like the stream from which it was taken."""

from pathlib import Path

import pytest

from gateway.media.boxes import read_boxes
from gateway.media.errors import MediaError
from gateway.media.muxing import mux, mux_buffers
from tests.gateway.media_fixture import encode, probe_packets, slices, stream


def test_a_muxed_stream_has_the_packets_and_times_of_its_source(tmp_path: Path) -> None:
    pieces = slices(stream())
    muxed = stream().init.data + b"".join(mux(piece.parts) for piece in pieces)
    packets = probe_packets(muxed, tmp_path)
    assert packets == probe_packets(encode(), tmp_path)
    assert len(packets["video"]) == 100


def test_one_moof_has_a_traf_for_each_track() -> None:
    piece = slices(stream())[0]
    assert len(piece.parts) == 2
    data = mux(piece.parts)
    moof, mdat = read_boxes(memoryview(data), 0, len(data))
    assert [box.child(b"tfhd").u32(4) for box in moof.children() if box.kind == b"traf"] == [1, 2]
    assert all(box.child(b"tfhd").u32(0) & 0x020000 for box in moof.children() if box.kind == b"traf")
    assert mdat.kind == b"mdat"


def test_a_second_part_of_a_track_goes_into_a_second_moof(tmp_path: Path) -> None:
    pieces = slices(stream())
    together = [part for piece in pieces for part in piece.parts]
    muxed = mux(together)
    boxes = read_boxes(memoryview(muxed), 0, len(muxed))
    assert [box.kind for box in boxes] == [b"moof", b"mdat"] * len(pieces)
    assert probe_packets(stream().init.data + muxed, tmp_path) == probe_packets(encode(), tmp_path)


def test_samples_are_not_copied() -> None:
    part = slices(stream())[0].parts[0]
    _, samples = mux_buffers([part])
    assert isinstance(samples, memoryview)
    assert samples.obj is part.data


def test_a_muxed_part_of_one_track_can_be_muxed_again() -> None:
    part = slices(stream())[0].parts[0]
    once = mux([part])
    assert once == part.data


def test_fragments_are_numbered_as_their_pieces() -> None:
    data = b"".join(mux(piece.parts, number) for number, piece in enumerate(slices(stream()), 2**32 - 2))
    numbers = [box.child(b"mfhd").u32(4) for box in read_boxes(memoryview(data), 0, len(data)) if box.kind == b"moof"]
    assert numbers[:4] == [2**32 - 2, 2**32 - 1, 0, 1]


def test_nothing_and_damage_are_media_errors() -> None:
    with pytest.raises(MediaError, match="no part"):
        mux([])
