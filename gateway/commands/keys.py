"""`seedcast keys`: who may push a broadcast to this gateway. A running gateway sees a change with the next push."""

from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from gateway.app import keys_path
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.settings import Settings
from gateway.terminal import put_out


def add_key(settings: Settings, name: str, *, title: str, days: float | None, console: Console) -> None:
    """Make a key and print it, this once. Raises KeyFileBroken."""
    expires = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    entry = IngestKeys(keys_path(settings)).add(name, title=title, expires=expires)
    put_out(entry.key)
    console.print(f"The key of {name}, shown this once{_until(entry)}. To broadcast a film with it:\n")
    url = f"http://localhost:{settings.port}/ingest/{entry.key}"
    console.print(f"  ffmpeg -re -i film.mp4 -c copy -f mpegts {url}", markup=False)


def list_keys(settings: Settings, console: Console) -> None:
    """Names, titles and ends of all keys; never the keys. Raises KeyFileBroken."""
    entries = IngestKeys(keys_path(settings)).entries
    if not entries:
        console.print("There are no ingest keys. Make one: seedcast keys add NAME")
        return
    table = Table("name", "title", "expires", box=None, header_style="dim", pad_edge=False)
    for entry in entries:
        table.add_row(entry.name, entry.title, _end(entry))
    console.print(table)


def remove_key(settings: Settings, name: str, console: Console) -> None:
    """Take a key back. Raises KeyFileBroken."""
    IngestKeys(keys_path(settings)).remove(name)
    console.print(f"The key of {name} is no longer good. A push that is running goes on to its end.")


def _until(entry: KeyEntry) -> str:
    return f", good until {entry.expires:%Y-%m-%d %H:%M} UTC" if entry.expires else ""


def _end(entry: KeyEntry) -> str:
    if entry.expires is None:
        return "never"
    ended = entry.expires <= datetime.now(UTC)
    return f"{entry.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC{' (expired)' if ended else ''}"
