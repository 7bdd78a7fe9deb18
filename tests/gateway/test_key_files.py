"""Keys on disk: private, locked, and no reason to stop when the disk is full."""

import errno
import os
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import CannotStart
from gateway.key_files import KeyInUse, open_key, peer_key


def test_a_key_lasts_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "peer.key"
    with closing(open_key(path)) as first:
        key = first.identity.key
    with closing(open_key(path)) as second:
        assert second.identity.key == key
        assert second.kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_one_key_serves_one_process_at_a_time(tmp_path: Path) -> None:
    with closing(open_key(tmp_path / "a.key")), pytest.raises(KeyInUse):
        open_key(tmp_path / "a.key")
    open_key(tmp_path / "a.key").close()


def test_a_second_process_is_a_peer_of_its_own(tmp_path: Path) -> None:
    with closing(peer_key(tmp_path)) as first, closing(peer_key(tmp_path)) as second:
        assert first.identity.key != second.identity.key
        assert (first.kept, second.kept) == (True, False)


def test_a_damaged_key_is_never_replaced_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(b"short")
    with pytest.raises(CannotStart, match="damaged"):
        open_key(path)
    assert path.read_bytes() == b"short"


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    with pytest.raises(CannotStart, match="SEEDCAST_DATA_DIR"):
        open_key(tmp_path / "data" / "peer.key")


def test_a_full_disk_gives_a_key_for_this_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.key"
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with closing(open_key(path)) as key:
            assert not key.kept
            assert len(key.identity.key) == 32
    assert "disk is full" in caplog.text
    with closing(open_key(path)) as later:
        assert later.kept
        assert later.identity.key != key.identity.key
