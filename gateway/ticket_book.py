"""Which tickets have been given out for streams of this machine, and which were taken back: a file of its owner's.

    {"version": 1, "tickets": [{"stream", "name", "serial", "expires": seconds since 1970, "revoked": false}]}

A ticket itself and its viewer's key are not kept: they are shown once, when the ticket is made. A changed file is read
again at the next look, so that a running broadcast sees at once what another command has taken back.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.errors import CannotStart
from gateway.private_files import write_whole
from swarm.credentials import ticket_secret
from swarm.errors import LocalError
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.sealing import REVOKED_MAX, SERIAL_BYTES
from swarm.tickets import sign_ticket, viewer_key
from swarm.units import KEY_BYTES, StreamId

VERSION = 1
NAME_CHARS_MAX = 64
TICKETS_MAX = 10_000
FILE_BYTES_MAX = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEntry:
    """One ticket: for whom, of which stream (its name), until when (seconds since 1970), and whether it was revoked."""

    stream: str
    name: str
    serial: str
    expires: int
    revoked: bool = False


class TicketBook:
    """The file of tickets. A file that is not there holds none."""

    def __init__(self, path: Path) -> None:
        """Raises CannotStart when the file is there and damaged."""
        self._path = path
        self._entries: tuple[TicketEntry, ...] = ()
        self._stamp: tuple[int, int] | None = None
        self._refresh()

    def entries(self, stream: StreamId | None = None) -> list[TicketEntry]:
        """All tickets, or those of one stream. Raises CannotStart when the file was changed into something else."""
        self._refresh()
        return [entry for entry in self._entries if stream is None or entry.stream == stream_name(stream)]

    def revoked(self, stream: StreamId, now_s: float) -> frozenset[bytes]:
        """The serials that get no key any more, as long as they have not expired anyway; a damaged file changes
        nothing."""
        try:
            entries = self.entries(stream)
        except CannotStart:
            entries = [entry for entry in self._entries if entry.stream == stream_name(stream)]
        return frozenset(bytes.fromhex(e.serial) for e in entries if e.revoked and e.expires > now_s)

    def issue(
        self, owner: Identity, name: str, *, expires_s: int, now_s: float, viewer: bytes | None = None
    ) -> tuple[TicketEntry, str]:
        """A ticket, and what a link carries of it: with a viewer's key that is made for it, or for ``viewer``'s own.

        Raises CannotStart when the name is taken or unfit, or the file cannot be written.
        """
        stream = stream_name(StreamId(owner.key))
        kept = [entry for entry in self.entries() if entry.expires > now_s]
        if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
            raise CannotStart(f"A ticket's name has 1 to {NAME_CHARS_MAX} letters.")
        if any((entry.stream, entry.name, entry.revoked) == (stream, name, False) for entry in kept):
            raise CannotStart(f"There is a ticket for {name} already. Revoke it first, or choose another name.")
        if len(kept) >= TICKETS_MAX:
            raise CannotStart(f"There are {TICKETS_MAX} tickets already. Let some expire first.")
        secret = secrets.token_bytes(KEY_BYTES) if viewer is None else None
        try:
            ticket = sign_ticket(
                owner,
                serial=secrets.token_bytes(SERIAL_BYTES),
                viewer=viewer_key(secret) if secret is not None else viewer or b"",
                expires_s=expires_s,
            )
        except LocalError as error:
            raise CannotStart(f"No ticket can be made: {error}.") from error
        entry = TicketEntry(stream=stream, name=name, serial=ticket.serial.hex(), expires=expires_s)
        self._store((*kept, entry))
        return entry, ticket_secret(ticket, secret)

    def revoke(self, stream: StreamId, name: str, now_s: float) -> None:
        """Take a ticket back. Raises CannotStart when there is none of that name, or too many were taken back."""
        entries = self.entries()
        wanted = [e for e in entries if (e.stream, e.name, e.revoked) == (stream_name(stream), name, False)]
        if not wanted:
            raise CannotStart(f"There is no ticket for {name} that is good. See 'seedcast tickets list'.")
        if len(self.revoked(stream, now_s)) + len(wanted) > REVOKED_MAX:
            raise CannotStart(
                f"{REVOKED_MAX} revoked tickets of this stream have not expired: viewers cannot be told of more. "
                "Broadcast with a new key, and give out new tickets."
            )
        self._store(tuple(replace(entry, revoked=True) if entry in wanted else entry for entry in entries))

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            if (stamp := (stat.st_mtime_ns, stat.st_size)) == self._stamp:
                return
            if stat.st_size > FILE_BYTES_MAX:
                raise CannotStart(f"{self._path} is no file of tickets. Move it away.")
            self._entries, self._stamp = _read(self._path.read_bytes(), self._path), stamp
        except FileNotFoundError:
            self._entries, self._stamp = (), None
        except OSError as error:
            raise CannotStart(f"{error.strerror}: {self._path}. Choose another folder.") from error

    def _store(self, entries: tuple[TicketEntry, ...]) -> None:
        document = {"version": VERSION, "tickets": [asdict(entry) for entry in entries]}
        try:
            write_whole(self._path, json.dumps(document, indent=2).encode())
        except OSError as error:
            raise CannotStart(
                f"{error.strerror}: {self._path}. Nothing was changed; make room, then try again."
            ) from error
        self._entries = entries


def _read(data: bytes, path: Path) -> tuple[TicketEntry, ...]:
    try:
        document = json.loads(data)
        if document["version"] != VERSION:
            raise CannotStart(f"{path} was written by another version of Seedcast. Update this one.")
        return tuple(_entry(item) for item in document["tickets"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CannotStart(f"{path} is damaged ({error}). Correct it, or move it away.") from error


def _entry(item: Mapping[str, object]) -> TicketEntry:
    """Raises ValueError, KeyError, TypeError."""
    expires, revoked = item["expires"], item["revoked"]
    if not isinstance(expires, int) or not isinstance(revoked, bool):
        raise TypeError("a ticket without its end, or that is neither revoked nor not")
    serial = str(item["serial"])
    if len(bytes.fromhex(serial)) != SERIAL_BYTES:
        raise ValueError("a serial of another length")
    return TicketEntry(
        stream=str(item["stream"]), name=str(item["name"]), serial=serial, expires=expires, revoked=revoked
    )
