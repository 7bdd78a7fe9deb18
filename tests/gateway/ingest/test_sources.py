"""What a user means by the name of an input."""

from pathlib import Path

import pytest

from gateway.ingest.errors import InputUnreadable
from gateway.ingest.sources import DeviceSource, FileSource, TestSource, UrlSource, name_of, parse_source


def test_the_test_picture() -> None:
    assert parse_source("test") == TestSource()


def test_a_url() -> None:
    assert parse_source("rtsp://camera/1") == UrlSource(url="rtsp://camera/1")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.touch()
    assert parse_source(str(path), loop=True) == FileSource(path=path, loop=True)


def test_a_device() -> None:
    assert parse_source("/dev/null") == DeviceSource(path=Path("/dev/null"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="There is no file"):
        parse_source(str(tmp_path / "film.mp4"))


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="is a directory"):
        parse_source(str(tmp_path))


def test_names_for_messages() -> None:
    assert name_of(TestSource()) == "the test picture"
    assert name_of(UrlSource(url="http://x/y")) == "http://x/y"
