"""Init segments tell their tracks, and can be cut down to one."""

from pathlib import Path

import pytest

from gateway.media.boxes import make_box
from gateway.media.errors import MediaError
from gateway.media.tracks import read_init, track_init
from tests.gateway.media_fixture import encode, probe_packets, split, stream


def test_an_init_segment_of_one_track_has_only_that_track() -> None:
    init = stream().init
    for track in init.tracks:
        alone = read_init(track_init(init.data, track.track))
        assert alone.tracks == (track,)
        assert alone.lead == track


@pytest.mark.parametrize(("track", "kind"), [(1, "video"), (2, "audio")])
def test_one_track_s_init_and_parts_play_as_in_the_whole(track: int, kind: str, tmp_path: Path) -> None:
    source = stream()
    alone = track_init(source.init.data, track) + b"".join(part.data for part in source.of_track(track))
    assert probe_packets(alone, tmp_path) == {kind: probe_packets(encode(), tmp_path)[kind]}


def test_an_unknown_track_is_refused() -> None:
    with pytest.raises(MediaError, match="no track 9"):
        track_init(stream().init.data, 9)


def test_the_lead_is_the_video_wherever_it_stands() -> None:
    assert stream().init.lead.kind == "video"
    assert split(encode(seconds=0.4, sound=False)).init.lead.track == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "without moov"),
        (make_box(b"moov"), "not fragmented"),
        (make_box(b"moov", make_box(b"mvex")), "neither video nor audio"),
        (make_box(b"moov", make_box(b"mvex"), make_box(b"trak") * 17), "16 are the limit"),
        (make_box(b"moov", make_box(b"mvex"), make_box(b"trak")), "no mdia box"),
    ],
)
def test_a_damaged_init_segment_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        read_init(data)
