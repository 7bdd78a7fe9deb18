"""How messages call inputs."""

from pathlib import Path

import pytest

from gateway.ingest.sources import (
    CameraSource,
    FileSource,
    ListSource,
    ScreenSource,
    Source,
    TestSource,
    UrlSource,
    name_of,
)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (TestSource(), "the test picture"),
        (ScreenSource(), "the screen"),
        (CameraSource(), "the camera"),
        (CameraSource(device="/dev/video2"), "/dev/video2"),
        (UrlSource(url="http://x/y"), "http://x/y"),
        (UrlSource(url="rtsp://cam:geheim@x/y"), "rtsp://***@x/y"),
        (FileSource(path=Path("film.mp4")), "film.mp4"),
        (ListSource(names=("films",)), "films"),
        (ListSource(names=("a.mp4", "b.mp4", "c.mp4")), "a.mp4 and 2 more"),
    ],
)
def test_names_for_messages(source: Source, name: str) -> None:
    assert name_of(source) == name
