"""The small file about the line: read back as written, and nonsense left out."""

import stat
from pathlib import Path

import pytest

from gateway.uplink_books import FILE_NAME, Books, read_books, write_books

BOOKS = Books(month="2025-11", sent_bytes=12345, line_bps=3e6)


def test_what_is_written_is_read_back_and_leaves_no_draft(tmp_path: Path) -> None:
    write_books(tmp_path / "new", BOOKS)
    assert read_books(tmp_path / "new") == BOOKS
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"month": 3}', '"' + "x" * 10_000 + '"', '{"line_bps": "fast"}'])
def test_a_file_that_makes_no_sense_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert read_books(tmp_path) == Books()


@pytest.mark.parametrize("line", ["-1", "1", "1e99", "NaN", "Infinity", "null"])
def test_a_line_that_cannot_be_is_forgotten_and_the_month_kept(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE_NAME).write_text('{"month": "2025-11", "sent_bytes": 5, "line_bps": ' + line + "}")
    assert read_books(tmp_path) == Books(month="2025-11", sent_bytes=5)


@pytest.mark.parametrize("sent", ["-5", "1e30", "true", "null", '"7"'])
def test_bytes_that_cannot_be_are_forgotten_and_the_line_kept(tmp_path: Path, sent: str) -> None:
    (tmp_path / FILE_NAME).write_text('{"month": "2025-11", "sent_bytes": ' + sent + ', "line_bps": 3e6}')
    assert read_books(tmp_path) == Books(line_bps=3e6)


def test_a_new_month_begins_at_nothing() -> None:
    assert BOOKS.plus(10, month="2025-11", line_bps=0.0) == Books(month="2025-11", sent_bytes=12355, line_bps=3e6)
    assert BOOKS.plus(10, month="2025-12", line_bps=4e6) == Books(month="2025-12", sent_bytes=10, line_bps=4e6)


def test_a_folder_that_cannot_be_written_is_logged_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    write_books(tmp_path / "file", BOOKS)
    assert "cannot be kept" in caplog.text


def test_the_folder_is_the_owners_alone(tmp_path: Path) -> None:
    write_books(tmp_path / "new", BOOKS)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
