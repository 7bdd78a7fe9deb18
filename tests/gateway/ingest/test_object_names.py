"""Names of pushed objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.object_names import ObjectName, read_name


@pytest.mark.parametrize(
    ("path", "track", "number"),
    [
        ("init-stream0.m4s", "stream0", None),
        ("chunk-stream0-00001.m4s", "stream0", 1),
        ("live/chunk-stream1-00012.m4s", "live/stream1", 12),
        ("live/init-stream1.m4s", "live/stream1", None),
        ("init.mp4", "", None),
        ("index7.m4s", "", 7),
        ("index0.ts", "", 0),
        ("out12.ts", "out", 12),
        ("video/init.mp4", "video/", None),
        ("video/7.m4s", "video/", 7),
        ("Streams(video.cmfv)", "video", None),
        ("channel/Streams(audio-1.cmfa)", "audio-1", None),
    ],
)
def test_names_say_track_and_number(path: str, track: str, number: int | None) -> None:
    assert read_name(path) == ObjectName("media", track, number)


@pytest.mark.parametrize(("path", "kind"), [("a/index.m3u8", "playlist"), ("m.mpd", "playlist"), ("a.php", "other")])
def test_other_names_say_what_they_are(path: str, kind: str) -> None:
    assert read_name(path).kind == kind


@given(st.text(max_size=300))
def test_any_name_is_read(path: str) -> None:
    assert read_name(path).kind in ("media", "playlist", "other")
