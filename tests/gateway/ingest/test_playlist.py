"""Folders and lists of films: what is in them, and in which order."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.errors import InputUnreadable
from gateway.ingest.playlist import (
    ENTRIES_MAX,
    LIST_BYTES_MAX,
    entries_of,
    films_in,
    is_playlist,
    natural_order,
    read_entries,
)


def test_numbers_in_names_count() -> None:
    names = ["Film 10", "film 2", "film", "Film 1b", "film 1", "2 films"]
    assert sorted(names, key=natural_order) == [
        "2 films",
        "film",
        "film 1",
        "Film 1b",
        "film 2",
        "Film 10",
    ]


@given(st.lists(st.integers(min_value=0), unique=True))
def test_numbered_films_are_in_the_order_of_their_numbers(numbers: list[int]) -> None:
    names = [f"part {number}.mp4" for number in numbers]
    assert sorted(names, key=natural_order) == [f"part {number}.mp4" for number in sorted(numbers)]


def test_a_folder_gives_its_videos_only(tmp_path: Path) -> None:
    for name in ("film 10.mp4", "film 9.MKV", ".hidden.mp4", "cover.jpg", "notes.txt", "list.m3u"):
        (tmp_path / name).touch()
    (tmp_path / "folder.mp4").mkdir()
    assert [path.name for path in films_in(tmp_path)] == ["film 9.MKV", "film 10.mp4"]


def test_a_folder_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputUnreadable, match="No such file"):
        films_in(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u", "#EXTM3U\r\n#EXTINF:123,A film\r\na.mp4\r\n\r\n /films/b.mp4 \r\nhttps://x/c.mp4\r\n"),
        ("list.m3u8", "\ufeffa.mp4\n/films/b.mp4\nhttps://x/c.mp4"),
        ("list.txt", "# mine\na.mp4\nfile:///films/b.mp4\nhttps://x/c.mp4\n"),
        (
            "list.pls",
            "[playlist]\nFile2=/films/b.mp4\nFile1=a.mp4\nTitle1=A\nFile3=https://x/c.mp4\nFile4=\nVersion=2\n",
        ),
    ],
)
def test_a_list_gives_its_entries_relative_to_itself(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    assert is_playlist(path)
    assert entries_of(path) == [str(tmp_path / "a.mp4"), "/films/b.mp4", "https://x/c.mp4"]


def test_an_old_list_may_be_in_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u"
    path.write_bytes("Kür.mp4\n".encode("latin-1"))
    assert entries_of(path) == [str(tmp_path / "Kür.mp4")]


def test_lists_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u"
    path.write_text("a\n" * (ENTRIES_MAX + 1))
    assert len(entries_of(path)) == ENTRIES_MAX
    path.write_bytes(b"a" * (LIST_BYTES_MAX + 1))
    with pytest.raises(InputUnreadable, match="too long for a list"):
        entries_of(path)


@given(st.text(), st.sampled_from([".m3u", ".pls", ".txt"]))
def test_whatever_a_list_holds_it_is_read(text: str, suffix: str) -> None:
    for entry in read_entries(text, suffix):
        assert entry
        assert "\n" not in entry
