"""What a user means by the name of an input."""

from pathlib import Path

import pytest

from gateway.ingest.errors import InputUnreadable
from gateway.ingest.naming import films_named, parse_film, parse_sources
from gateway.ingest.sources import (
    CameraSource,
    FileSource,
    ListSource,
    ScreenSource,
    SdpSource,
    Source,
    TestSource,
    UrlSource,
)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("test", TestSource()),
        ("screen", ScreenSource(microphone="mic")),
        ("camera", CameraSource(microphone="mic")),
        ("camera:FaceTime HD", CameraSource(device="FaceTime HD", microphone="mic")),
        ("/dev/null", CameraSource(device="/dev/null", microphone="mic")),
        ("rtsp://camera/1", UrlSource(url="rtsp://camera/1", allow_private=True)),
        ("HTTP://x/live.ts", UrlSource(url="HTTP://x/live.ts", allow_private=True)),
    ],
)
def test_words_and_urls(name: str, source: Source) -> None:
    assert parse_sources([name], microphone="mic", allow_private=True) == source


def test_a_file_by_its_path_or_its_url(tmp_path: Path) -> None:
    path = tmp_path / "a film.mp4"
    path.touch()
    assert parse_sources([str(path)], loop=True) == FileSource(path=path, loop=True)
    assert parse_sources([path.as_uri()]) == FileSource(path=path)


def test_a_session_description_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "studio.sdp"
    path.touch()
    assert parse_sources([str(path)]) == SdpSource(path=path)


def test_a_folder_and_a_list_are_several_films(tmp_path: Path) -> None:
    films = tmp_path / "films.m3u8"
    films.write_text("#EXTM3U\na.mp4\n")
    for path in (tmp_path, films):
        assert parse_sources([str(path)], loop=True, shuffle=True) == ListSource(
            names=(str(path),), loop=True, shuffle=True
        )


def test_a_playlist_of_segments_is_one_film(tmp_path: Path) -> None:
    path = tmp_path / "film.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0.ts\n")
    assert parse_sources([str(path)]) == FileSource(path=path)


def test_several_inputs_are_a_list(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.touch()
    names = (str(path), "https://x/film.mp4")
    assert parse_sources(names, allow_private=True) == ListSource(names=names, allow_private=True)


@pytest.mark.parametrize("other", ["test", "camera", "screen", "/dev/null"])
def test_what_never_ends_is_not_one_of_several(tmp_path: Path, other: str) -> None:
    path = tmp_path / "film.mp4"
    path.touch()
    with pytest.raises(InputUnreadable, match="cannot be one of several inputs"):
        parse_sources([str(path), other])


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="There is no file"):
        parse_sources([str(tmp_path / "film.mp4")])


@pytest.mark.parametrize(
    "url", ["concat://a", "lavfi://x", "data://x", "gopher://x/", "pipe://0", "subfile,,:http://x"]
)
def test_other_protocols_of_ffmpeg_are_not_opened(url: str) -> None:
    with pytest.raises(InputUnreadable, match="a URL must begin with http"):
        parse_sources([url])
    with pytest.raises(InputUnreadable, match="a URL must begin with http"):
        parse_film(url)


def test_passwords_are_not_shown_when_a_url_is_refused() -> None:
    with pytest.raises(InputUnreadable) as refusal:
        parse_sources(["ftp://me:geheim@x/film.mp4"])
    assert "geheim" not in str(refusal.value)


def test_the_films_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").touch()
    (tmp_path / "a.mkv").touch()
    assert films_named(str(tmp_path)) == [str(tmp_path / "a.mkv"), str(tmp_path / "b.mp4")]
    assert films_named("http://x/y.mp4") == ["http://x/y.mp4"]
    assert parse_film(str(tmp_path / "b.mp4")) == FileSource(path=tmp_path / "b.mp4")
