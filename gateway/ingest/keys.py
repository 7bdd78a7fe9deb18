"""Who may push: ingest keys in a JSON file that only its owner may read.

    {"version": 1, "keys": [{"name", "key", "title", "expires": null | "2026-01-31T12:00:00+00:00", "seed",
                               "private": false, "tickets": false}]}

Each key is one stream: the seed of its Ed25519 key stands beside it, so that it keeps its link across restarts. A
changed file is read again when the next push comes. It may be sealed by a passphrase (`gateway.seals`), and stays so.
"""

import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.ingest.errors import ExpiredKey, KeyFileBroken, UnknownKey
from gateway.private_files import write_whole
from gateway.seals import Seal, WrongPassphrase, is_sealed
from swarm.units import KEY_BYTES

VERSION = 1
KEY_TOKEN_BYTES = 16
NAME_CHARS_MAX = 64
TITLE_CHARS_MAX = 200
KEYS_MAX = 1000
FILE_BYTES_MAX = 1 << 20

_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One key, and the stream that it stands for. ``expires`` is None for a key without end; a ``private`` stream is
    sealed, for those who have its link, and one with ``tickets`` for those who have one."""

    name: str
    key: str = field(repr=False)
    seed: bytes = field(repr=False)
    title: str = ""
    expires: datetime | None = None
    private: bool = False
    tickets: bool = False


class IngestKeys:
    """The key file. A file that is not there holds no keys; without a path nothing is kept."""

    def __init__(self, path: Path | None = None, seal: Seal | None = None) -> None:
        """Raises KeyFileBroken."""
        self._path = path
        self._seal = seal or Seal()
        self._sealed = self._seal.is_given
        self._entries: tuple[KeyEntry, ...] = ()
        self._stamp: tuple[int, int] | None = None
        self._refresh()

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """All keys, the expired ones too. Raises KeyFileBroken when the file was changed into something else."""
        self._refresh()
        return self._entries

    def check(self, key: str, now: datetime) -> KeyEntry:
        """The entry of a key that somebody shows. Raises UnknownKey, ExpiredKey, KeyFileBroken."""
        shown = key.encode()
        found = None
        for entry in self.entries:  # all of them, so that the time taken tells nothing
            if hmac.compare_digest(entry.key.encode(), shown):
                found = entry
        if found is None:
            raise UnknownKey
        if found.expires is not None and found.expires <= now:
            when = f"{found.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            raise ExpiredKey(f"It expired on {when}. Ask the gateway's owner for a new one ('seedcast keys add').")
        return found

    def add(
        self,
        name: str,
        *,
        title: str = "",
        expires: datetime | None = None,
        private: bool = False,
        tickets: bool = False,
    ) -> KeyEntry:
        """Make a key. Raises KeyFileBroken when the name is taken or unfit, or the file cannot be written."""
        if not name or len(name) > NAME_CHARS_MAX or len(title) > TITLE_CHARS_MAX:
            raise KeyFileBroken(f"A key's name has 1 to {NAME_CHARS_MAX} letters, its title {TITLE_CHARS_MAX} at most.")
        entries = self.entries
        if any(entry.name == name for entry in entries):
            raise KeyFileBroken(f"There is a key named {name} already. Remove it first, or choose another name.")
        if private and tickets:
            raise KeyFileBroken("A stream is sealed by its link or by tickets. Choose one of the two.")
        if len(entries) >= KEYS_MAX:
            raise KeyFileBroken(f"There are {KEYS_MAX} keys already. Remove some first.")
        entry = KeyEntry(
            name=name,
            key=secrets.token_hex(KEY_TOKEN_BYTES),
            seed=secrets.token_bytes(KEY_BYTES),
            title=title,
            expires=expires,
            private=private,
            tickets=tickets,
        )
        self._store((*entries, entry))
        return entry

    def rotate(self, name: str) -> KeyEntry:
        """Another key for the same stream; the one before is no longer good. Raises KeyFileBroken."""
        return self._exchange(name, lambda entry: replace(entry, key=secrets.token_hex(KEY_TOKEN_BYTES)))

    def retitle(self, name: str, title: str) -> KeyEntry:
        """Another title for the same stream, from its next beginning on. Raises KeyFileBroken."""
        if len(title) > TITLE_CHARS_MAX:
            raise KeyFileBroken(f"A title has {TITLE_CHARS_MAX} letters at most.")
        return self._exchange(name, lambda entry: replace(entry, title=title))

    def remove(self, name: str) -> None:
        """Take a key back. Raises KeyFileBroken."""
        entries = self.entries
        left = tuple(entry for entry in entries if entry.name != name)
        if len(left) == len(entries):
            raise KeyFileBroken(f"There is no key named {name}.")
        self._store(left)

    def _exchange(self, name: str, change: Callable[[KeyEntry], KeyEntry]) -> KeyEntry:
        entries = self.entries
        entry = next((entry for entry in entries if entry.name == name), None)
        if entry is None:
            raise KeyFileBroken(f"There is no key named {name}.")
        changed = change(entry)
        self._store(tuple(changed if other is entry else other for other in entries))
        return changed

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            stat = self._path.stat()
            if (stamp := (stat.st_mtime_ns, stat.st_size)) == self._stamp:
                return
            if stat.st_mode & 0o077 and os.name == "posix":
                raise KeyFileBroken(f"Others may read the keys in {self._path}. Run: chmod 600 {self._path}")
            if stat.st_size > FILE_BYTES_MAX:
                raise KeyFileBroken(f"{self._path} is no file of ingest keys. Move it away.")
            data = self._path.read_bytes()
            self._entries = _read(self._seal.open(data, self._path), self._path)
            self._stamp, self._sealed = stamp, is_sealed(data)
        except FileNotFoundError:
            self._entries, self._stamp = (), None
        except WrongPassphrase as error:
            raise KeyFileBroken(str(error)) from error
        except OSError as error:
            raise KeyFileBroken(f"{error.strerror}: {self._path}. Choose another folder.") from error

    def _store(self, entries: tuple[KeyEntry, ...]) -> None:
        if self._path is not None:
            try:
                self._write(self._path, entries)
            except OSError as error:
                raise KeyFileBroken(
                    f"{error.strerror}: {self._path}. Nothing was changed; make room or give rights, then try again."
                ) from error
        self._entries = entries

    def convert(self, *, sealed: bool) -> bool:
        """Have the file sealed, or no longer; whether it had to be changed. Raises KeyFileBroken, WrongPassphrase."""
        entries = self.entries
        if self._path is None or not self._path.exists() or self._sealed == sealed:
            return False
        self._sealed = sealed
        self._store(entries)
        return True

    def _write(self, path: Path, entries: tuple[KeyEntry, ...]) -> None:
        document = {"version": VERSION, "keys": [_to_json(entry) for entry in entries]}
        data = json.dumps(document, indent=2).encode()
        write_whole(path, self._seal.close(data, path) if self._sealed else data)


def _to_json(entry: KeyEntry) -> dict[str, str | bool | None]:
    return {
        "name": entry.name,
        "key": entry.key,
        "title": entry.title,
        "expires": entry.expires.isoformat() if entry.expires else None,
        "seed": entry.seed.hex(),
        "private": entry.private,
        "tickets": entry.tickets,
    }


def _read(data: bytes, path: Path) -> tuple[KeyEntry, ...]:
    try:
        document = json.loads(data)
        if document["version"] != VERSION:
            raise KeyFileBroken(f"{path} was written by another version of Seedcast. Update this one.")
        return tuple(_from_json(item) for item in document["keys"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise KeyFileBroken(f"{path} is damaged ({error}). Correct it, or move it away and make new keys.") from error


def _from_json(item: Mapping[str, str | None]) -> KeyEntry:
    sealed: list[object] = [item.get(way, False) for way in ("private", "tickets")]
    name, key, title, seed, expires = (item.get(field) for field in ("name", "key", "title", "seed", "expires"))
    if not name or not key or not _KEY.fullmatch(key):
        raise ValueError("a key without a name, or not of 32 hexadecimal digits")
    stream_seed = bytes.fromhex(seed or "")
    if len(stream_seed) != KEY_BYTES:
        raise ValueError(f"the seed of {name} is not {KEY_BYTES} bytes long")
    if not all(isinstance(way, bool) for way in sealed) or all(sealed):
        raise ValueError(f"it does not say clearly who may watch {name}")
    when = datetime.fromisoformat(expires) if expires else None
    if when is not None and when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return KeyEntry(
        name=name,
        key=key,
        title=title or "",
        seed=stream_seed,
        expires=when,
        private=bool(sealed[0]),
        tickets=bool(sealed[1]),
    )
