"""`seedcast keys`: who may push a broadcast to this gateway. A running gateway sees a change with the next push."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from gateway.app import keys_path, streams_folder
from gateway.commands.link import print_code
from gateway.errors import CannotStart
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.ingest.webrtc.dtls import INSTALLED
from gateway.key_files import PEER_KEY, VIEWER_KEY, convert
from gateway.seals import Seal, find_seal, is_sealed
from gateway.settings import Settings
from gateway.terminal import put_out
from swarm.credentials import link_secret
from swarm.identity import Identity
from swarm.link import TRACKERS_MAX, Link, format_link
from swarm.units import StreamId


def add_key(
    settings: Settings, name: str, *, title: str, days: float | None, private: bool, tickets: bool, console: Console
) -> None:
    """Make a key and print it, this once. Raises KeyFileBroken."""
    expires = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    entry = _keys(settings).add(name, title=title, expires=expires, private=private, tickets=tickets)
    put_out(entry.key)
    console.print(f"The key of {name}, shown this once{_until(entry)}. To broadcast a film with it, one of:\n")
    _print_ways(settings, entry, console)


def rotate_key(settings: Settings, name: str, console: Console) -> None:
    """Another key for the same stream, printed this once. Raises KeyFileBroken."""
    entry = _keys(settings).rotate(name)
    put_out(entry.key)
    console.print(f"The new key of {name}, shown this once. The old one is no longer good; a push with it ends.\n")
    _print_ways(settings, entry, console)


def _print_ways(settings: Settings, entry: KeyEntry, console: Console) -> None:
    """How to push with a key, by each protocol whose port is open, and how to watch."""
    film = "ffmpeg -re -i film.mp4 -c copy"
    ways = [f"{film} -f mpegts http://localhost:{settings.port}/ingest/{entry.key}"]
    if settings.rtmp_port:
        ways.append(f"{film} -f flv rtmp://localhost:{settings.rtmp_port}/live/{entry.key}")
    if settings.srt_port:
        query = f"streamid={quote(entry.name)}&passphrase={entry.key}"
        ways.append(f"{film} -f mpegts 'srt://localhost:{settings.srt_port}?{query}'")
    if settings.whip_port and INSTALLED:
        ways.append(f"a browser at http://localhost:{settings.port}/broadcast")
    for way in ways:
        console.print(f"  {way}", markup=False, highlight=False, soft_wrap=True)
    trackers = tuple(tier[0] for tier in settings.tracker_tiers)[:TRACKERS_MAX]
    owner = Identity(entry.seed)
    secret = link_secret(owner) if entry.private else ""
    link = Link(StreamId(owner.key), entry.title or entry.name, trackers=trackers, secret=secret)
    ticket = ", and a ticket: seedcast tickets issue LINK NAME" if entry.tickets else ""
    console.print(f"\nOthers watch it by this link while it is on the air{ticket}:\n")
    console.print(f"  {format_link(link)}", markup=False, highlight=False, soft_wrap=True)
    print_code(link, console)


def list_keys(settings: Settings, console: Console) -> None:
    """Names, titles and ends of all keys; never the keys. Raises KeyFileBroken."""
    entries = _keys(settings).entries
    if not entries:
        console.print("There are no ingest keys. Make one: seedcast keys add NAME")
        return
    table = Table("name", "title", "expires", "viewers", box=None, header_style="dim", pad_edge=False)
    for entry in entries:
        table.add_row(entry.name, entry.title, _end(entry), _viewers(entry))
    console.print(table)


def remove_key(settings: Settings, name: str, console: Console) -> None:
    """Take a key back. Raises KeyFileBroken."""
    _keys(settings).remove(name)
    console.print(f"The key of {name} is no longer good. A push that is running with it ends.")


def _viewers(entry: KeyEntry) -> str:
    if entry.private:
        return "with the link"
    return "with a ticket" if entry.tickets else "all"


def protect_keys(settings: Settings, console: Console) -> None:
    """Seal all key files by a passphrase. Raises KeyInUse, WrongPassphrase, KeyFileBroken, CannotStart."""
    seal = find_seal(settings.key_passphrase_file, os.environ, twice=not _any_sealed(settings))
    console.print(_tell(_convert(settings, seal, sealed=True), "protected by the passphrase"))


def unprotect_keys(settings: Settings, console: Console) -> None:
    """Have all key files without a passphrase again. Raises as `protect_keys`."""
    seal = find_seal(settings.key_passphrase_file, os.environ)
    console.print(_tell(_convert(settings, seal, sealed=False), "no longer protected"))


def _convert(settings: Settings, seal: Seal, *, sealed: bool) -> int:
    """How many files had to be changed."""
    try:
        changed = sum(convert(path, seal, sealed=sealed) for path in _key_files(settings))
    except OSError as error:
        raise CannotStart(f"{error.strerror}: {error.filename}. Make room or give rights, then try again.") from error
    return changed + IngestKeys(keys_path(settings), seal).convert(sealed=sealed)


def _key_files(settings: Settings) -> list[Path]:
    """This peer's key first: it tells whether a gateway runs."""
    own = (settings.data_dir / PEER_KEY, settings.data_dir / VIEWER_KEY)
    return [path for path in (*own, *sorted(streams_folder(settings).glob("*.key"))) if path.exists()]


def _any_sealed(settings: Settings) -> bool:
    paths = [path for path in (*_key_files(settings), keys_path(settings)) if path.exists()]
    return any(is_sealed(path.read_bytes()) for path in paths)


def _tell(changed: int, what: str) -> str:
    return f"{changed} key files are now {what}." if changed else f"Nothing to do: all key files are {what} already."


def _keys(settings: Settings) -> IngestKeys:
    return IngestKeys(keys_path(settings), find_seal(settings.key_passphrase_file, os.environ))


def _until(entry: KeyEntry) -> str:
    return f", good until {entry.expires:%Y-%m-%d %H:%M} UTC" if entry.expires else ""


def _end(entry: KeyEntry) -> str:
    if entry.expires is None:
        return "never"
    ended = entry.expires <= datetime.now(UTC)
    return f"{entry.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC{' (expired)' if ended else ''}"
