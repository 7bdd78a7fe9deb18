"""`seedcast tickets`: who may watch a stream of this machine that is for ticket holders."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from gateway.app import keys_path, streams_folder, tickets_path
from gateway.errors import CannotStart
from gateway.ingest.keys import IngestKeys
from gateway.key_files import viewer_secret
from gateway.owners import find_owner
from gateway.seals import find_seal
from gateway.settings import Settings
from gateway.terminal import put_out
from gateway.ticket_book import TicketBook, TicketEntry
from swarm.errors import LinkError
from swarm.link import Link, format_link, parse_stream_name, stream_name
from swarm.tickets import viewer_key
from swarm.units import StreamId

DAY_S = 86_400


def issue_ticket(
    settings: Settings, link: Link, name: str, *, days: float, viewer: str | None, console: Console
) -> None:
    """Make a ticket and print its link, this once. Raises CannotStart, KeyFileBroken."""
    seal = find_seal(settings.key_passphrase_file, os.environ)
    owner = find_owner(streams_folder(settings), IngestKeys(keys_path(settings), seal), link.stream, seal)
    now_s = time.time()
    entry, carried = TicketBook(tickets_path(settings)).issue(
        owner,
        name,
        expires_s=int(now_s + days * DAY_S),
        now_s=now_s,
        viewer=_viewer(viewer) if viewer is not None else None,
    )
    put_out(format_link(replace(link, secret=carried)))
    console.print(f"The ticket of {name}, good until {_end(entry)}: the link above, shown this once.")
    if viewer is None:
        console.print("Who has that link watches as this viewer: send it to nobody else.")


def revoke_ticket(settings: Settings, link: Link, name: str, console: Console) -> None:
    """Take a ticket back. Raises CannotStart."""
    TicketBook(tickets_path(settings)).revoke(link.stream, name, time.time())
    console.print(
        f"The ticket of {name} is no longer good: its picture ends within {settings.key_rotation_s} s, "
        "as soon as the stream's next key takes over."
    )


def list_tickets(settings: Settings, link: Link | None, console: Console) -> None:
    """Names and ends of all tickets, or of one stream's. Raises CannotStart."""
    entries = TicketBook(tickets_path(settings)).entries(link.stream if link is not None else None)
    if not entries:
        console.print("There are no tickets. Make one: seedcast tickets issue LINK NAME")
        return
    table = Table("stream", "name", "good until", box=None, header_style="dim", pad_edge=False)
    for entry in entries:
        table.add_row(f"{entry.stream[:12]}…", entry.name, "revoked" if entry.revoked else _end(entry))
    console.print(table)


def show_own_key(settings: Settings, console: Console) -> None:
    """The key that a ticket for this machine names. Raises CannotStart."""
    seal = find_seal(settings.key_passphrase_file, os.environ)
    put_out(stream_name(StreamId(viewer_key(viewer_secret(settings.data_dir, seal)))))
    console.print(
        "Give this key to the stream's owner, who makes a ticket for it: seedcast tickets issue --for KEY ..."
    )


def _viewer(text: str) -> bytes:
    try:
        return parse_stream_name(text.strip())
    except LinkError as error:
        raise CannotStart(f"This is no viewer's key: {error}. See 'seedcast tickets mine' at the viewer's.") from error


def _end(entry: TicketEntry) -> str:
    return f"{datetime.fromtimestamp(entry.expires, UTC):%Y-%m-%d %H:%M} UTC"
