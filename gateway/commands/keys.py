"""`seedcast keys`: who may push a broadcast to this gateway. A running gateway sees a change with the next push."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

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
    console.print(f"The key of {name}, shown this once{_until(entry)}. To broadcast a film with it, one of:\n")
    _print_ways(settings, entry, console)


def rotate_key(settings: Settings, name: str, console: Console) -> None:
    """Another key for the same stream, printed this once. Raises KeyFileBroken."""
    entry = IngestKeys(keys_path(settings)).rotate(name)
    put_out(entry.key)
    console.print(f"The new key of {name}, shown this once. The old one is no longer good; a push with it ends.\n")
    _print_ways(settings, entry, console)


def _print_ways(settings: Settings, entry: KeyEntry, console: Console) -> None:
    """How to push with a key, by each protocol whose port is open."""
    film = "ffmpeg -re -i film.mp4 -c copy"
    ways = [f"{film} -f mpegts http://localhost:{settings.port}/ingest/{entry.key}"]
    if settings.rtmp_port:
        ways.append(f"{film} -f flv rtmp://localhost:{settings.rtmp_port}/live/{entry.key}")
    if settings.srt_port:
        query = f"streamid={quote(entry.name)}&passphrase={entry.key}"
        ways.append(f"{film} -f mpegts 'srt://localhost:{settings.srt_port}?{query}'")
    for way in ways:
        console.print(f"  {way}", markup=False, highlight=False, soft_wrap=True)


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
    console.print(f"The key of {name} is no longer good. A push that is running with it ends.")


def _until(entry: KeyEntry) -> str:
    return f", good until {entry.expires:%Y-%m-%d %H:%M} UTC" if entry.expires else ""


def _end(entry: KeyEntry) -> str:
    if entry.expires is None:
        return "never"
    ended = entry.expires <= datetime.now(UTC)
    return f"{entry.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC{' (expired)' if ended else ''}"
