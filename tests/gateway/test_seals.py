"""Key files under a passphrase: opened by it alone, changed whole or not at all, and asked for in three places."""

import getpass
import os
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.broadcasts import key_path
from gateway.cli import CANNOT_START, main
from gateway.errors import CannotStart
from gateway.ingest.errors import KeyFileBroken
from gateway.ingest.keys import IngestKeys
from gateway.key_files import KeyInUse, convert, open_key, viewer_secret
from gateway.seals import COST_LOG2, MAGIC, PASSPHRASE_VARIABLE, Seal, WrongPassphrase, find_seal, is_sealed
from swarm.link import Link, format_link
from swarm.units import StreamId

PATH = Path("some.key")


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.seals.COST_LOG2", 1)
    monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)


def test_a_guess_costs_what_scrypt_is_used_for() -> None:
    assert COST_LOG2 >= 15


def test_what_is_sealed_is_opened_by_the_same_passphrase_alone() -> None:
    sealed = Seal("correct horse").close(b"a secret", PATH)
    assert is_sealed(sealed)
    assert b"a secret" not in sealed
    assert Seal("correct horse").open(sealed, PATH) == b"a secret"
    with pytest.raises(WrongPassphrase, match="does not open"):
        Seal("battery staple").open(sealed, PATH)
    with pytest.raises(WrongPassphrase, match=PASSPHRASE_VARIABLE):
        Seal().open(sealed, PATH)
    assert Seal("correct horse").open(b"plain", PATH) == b"plain"


def test_no_byte_of_a_sealed_file_can_be_changed() -> None:
    seal = Seal("x")
    sealed = seal.close(b"a secret", PATH)
    mark = len(MAGIC)
    for at in range(mark, len(sealed)):
        with pytest.raises(CannotStart):
            seal.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], PATH)
    for size in range(len(sealed) - 1, mark, -1):
        with pytest.raises(CannotStart):
            seal.open(sealed[:size], PATH)


def test_a_key_file_is_sealed_and_unsealed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    with closing(open_key(path)) as plain:
        key = plain.identity.key
        with pytest.raises(KeyInUse):
            convert(path, Seal("x"), sealed=True)
    assert convert(path, Seal("x"), sealed=True)
    assert not convert(path, Seal("x"), sealed=True)
    assert is_sealed(path.read_bytes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(WrongPassphrase):
        open_key(path, Seal("y"))
    with closing(open_key(path, Seal("x"))) as opened:
        assert opened.identity.key == key
        assert opened.kept
    assert convert(path, Seal("x"), sealed=False)
    assert len(path.read_bytes()) == 32
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_are_sealed_where_a_passphrase_is_given(tmp_path: Path) -> None:
    with closing(open_key(tmp_path / "a.key", Seal("x"))) as made:
        key = made.identity.key
    assert is_sealed((tmp_path / "a.key").read_bytes())
    with closing(open_key(tmp_path / "a.key", Seal(ask=lambda: "x"))) as opened:
        assert opened.identity.key == key
    entry = IngestKeys(tmp_path / "keys.json", Seal("x")).add("studio")
    assert is_sealed((tmp_path / "keys.json").read_bytes())
    assert IngestKeys(tmp_path / "keys.json", Seal("x")).entries == (entry,)
    with pytest.raises(KeyFileBroken, match="does not open"):
        IngestKeys(tmp_path / "keys.json", Seal("y"))


def test_a_sealed_file_of_ingest_keys_stays_sealed(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    IngestKeys(path).add("studio")
    asked = IngestKeys(path, Seal(ask=lambda: "x"))
    assert asked.convert(sealed=True)
    asked.add("second")
    assert is_sealed(path.read_bytes())
    assert [entry.name for entry in IngestKeys(path, Seal("x")).entries] == ["studio", "second"]
    assert asked.convert(sealed=False)
    assert [entry.name for entry in IngestKeys(path).entries] == ["studio", "second"]


def test_the_passphrase_comes_from_the_environment_a_file_or_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = Seal("x").close(b"secret", PATH)
    file = tmp_path / "passphrase"
    file.write_text("x\nnot this\n")
    with pytest.raises(CannotStart, match="chmod 600"):
        find_seal(str(file), {})
    file.chmod(0o600)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda _: "x")
    for seal in (find_seal(str(file), {}), find_seal("", {PASSPHRASE_VARIABLE: "x"}), find_seal("", {}, twice=True)):
        assert seal.open(sealed, PATH) == b"secret"
    answers = iter(["x", "y"])
    monkeypatch.setattr(getpass, "getpass", lambda _: next(answers))
    with pytest.raises(WrongPassphrase, match="two passphrases"):
        find_seal("", {}, twice=True).close(b"secret", PATH)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(WrongPassphrase, match="protected"):
        find_seal("", {}).open(sealed, PATH)
    for text in ("", "\n"):
        file.write_text(text)
        with pytest.raises(CannotStart, match="no passphrase"):
            find_seal(str(file), {})
    with pytest.raises(CannotStart, match="key_passphrase_file"):
        find_seal(str(tmp_path / "missing"), {})


def seedcast(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_all_key_files_are_protected_by_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEEDCAST_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("peer.key", "streams/film.key"):
        open_key(tmp_path / name).close()
    viewer = viewer_secret(tmp_path)
    assert seedcast("keys", "add", "bob") == 0
    assert seedcast("keys", "protect") == CANNOT_START
    assert PASSPHRASE_VARIABLE in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "open sesame")
    assert seedcast("keys", "protect") == 0
    assert "4 key files are now protected" in capsys.readouterr().err
    names = ("peer.key", "viewer.key", "streams/film.key", "ingest-keys.json")
    files = [tmp_path / name for name in names]
    assert all(is_sealed(path.read_bytes()) for path in files)
    assert viewer_secret(tmp_path, Seal("open sesame")) == viewer
    assert seedcast("keys", "list") == 0
    assert "bob" in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "wrong")
    assert seedcast("keys", "list") == CANNOT_START
    assert seedcast("keys", "unprotect") == CANNOT_START
    assert "does not open" in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "open sesame")
    assert seedcast("keys", "unprotect") == 0
    assert not any(is_sealed(path.read_bytes()) for path in files)
    assert os.environ[PASSPHRASE_VARIABLE] not in capsys.readouterr().err


def test_owners_of_sealed_keys_give_tickets_and_end_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEEDCAST_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    key = open_key(key_path(tmp_path / "streams", "My film"), Seal("open sesame"))
    link = format_link(Link(StreamId(key.identity.key)))
    key.close()
    commands: tuple[tuple[str, ...], ...] = (
        ("tickets", "issue", link, "anna"),
        ("tickets", "mine"),
        ("end", "My film", "--yes"),
    )
    for words in commands[::2]:
        assert seedcast(*words) == CANNOT_START
        assert PASSPHRASE_VARIABLE in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "open sesame")
    for words in commands:
        assert seedcast(*words) == 0
    assert is_sealed((tmp_path / "viewer.key").read_bytes())
