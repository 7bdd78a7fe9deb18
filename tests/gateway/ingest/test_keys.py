"""The file of ingest keys."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.ingest.errors import ExpiredKey, KeyFileBroken, UnknownKey
from gateway.ingest.keys import IngestKeys

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "ingest.json"


def test_a_key_that_was_made_is_accepted(path: Path) -> None:
    entry = IngestKeys(path).add("studio", title="Evening news")
    assert IngestKeys(path).check(entry.key, NOW) == entry
    assert (len(entry.key), len(entry.seed)) == (32, 32)


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    IngestKeys(path).add("studio")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    IngestKeys(path).add("studio")
    path.chmod(0o644)
    with pytest.raises(KeyFileBroken, match="chmod 600"):
        IngestKeys(path)


@pytest.mark.parametrize("key", ["", "0" * 32, "\N{SNOWMAN}", "x" * 10_000])
def test_another_key_is_not_known(path: Path, key: str) -> None:
    keys = IngestKeys(path)
    keys.add("studio")
    with pytest.raises(UnknownKey):
        keys.check(key, NOW)


def test_a_key_expires(path: Path) -> None:
    keys = IngestKeys(path)
    entry = keys.add("studio", expires=NOW)
    assert keys.check(entry.key, NOW - timedelta(seconds=1)) == entry
    with pytest.raises(ExpiredKey, match="expired on 2026-03-01 12:00 UTC"):
        IngestKeys(path).check(entry.key, NOW)


def test_a_running_gateway_sees_what_another_process_changed(path: Path) -> None:
    running = IngestKeys(path)
    first = IngestKeys(path).add("first")
    assert running.check(first.key, NOW) == first
    IngestKeys(path).remove("first")
    with pytest.raises(UnknownKey):
        running.check(first.key, NOW)


def test_a_name_is_given_once(path: Path) -> None:
    keys = IngestKeys(path)
    keys.add("studio")
    with pytest.raises(KeyFileBroken, match="already"):
        keys.add("studio")


@pytest.mark.parametrize("name", ["", "n" * 65])
def test_names_are_bounded(path: Path, name: str) -> None:
    with pytest.raises(KeyFileBroken, match="1 to 64"):
        IngestKeys(path).add(name)


def test_only_what_is_there_can_be_removed(path: Path) -> None:
    with pytest.raises(KeyFileBroken, match="no key named studio"):
        IngestKeys(path).remove("studio")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": [3]}',
        '{"version": 1, "keys": [{"name": "a", "key": "short", "seed": ""}]}',
        '{"version": 1, "keys": [{"name": "a", "key": "00000000000000000000000000000000", "seed": "00"}]}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_refused(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileBroken):
        IngestKeys(path)


def test_a_time_without_a_zone_is_utc(path: Path) -> None:
    entry = IngestKeys(path).add("studio", expires=NOW)
    document = json.loads(path.read_text())
    document["keys"][0]["expires"] = "2026-03-01T12:00:00"
    path.write_text(json.dumps(document))
    assert IngestKeys(path).entries == (entry,)


def test_secrets_do_not_show_in_a_log() -> None:
    entry = IngestKeys().add("studio")
    assert entry.key not in repr(entry)
    assert repr(entry.seed) not in repr(entry)


def test_without_a_file_keys_last_as_long_as_the_process() -> None:
    keys = IngestKeys()
    entry = keys.add("studio")
    assert keys.check(entry.key, NOW) == entry


def test_a_rotated_key_is_another_key_for_the_same_stream(path: Path) -> None:
    keys = IngestKeys(path)
    before, other = keys.add("studio", title="News"), keys.add("other")
    after = keys.rotate("studio")
    assert (after.name, after.title, after.seed) == (before.name, before.title, before.seed)
    assert IngestKeys(path).check(after.key, NOW) == after
    assert IngestKeys(path).check(other.key, NOW) == other
    with pytest.raises(UnknownKey):
        IngestKeys(path).check(before.key, NOW)
    with pytest.raises(KeyFileBroken, match="no key named"):
        keys.rotate("nobody")
