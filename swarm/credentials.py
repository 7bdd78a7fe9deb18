"""What opens a sealed stream, as the text that a link carries behind its ``#``: one letter, then base64url (RFC 4648).

s + 16 bytes    the secret of a link: who has the link watches
p + 32 bytes    what a password has led to on this machine; it is never written into a link for others
"""

import base64
import binascii
from typing import Final, NamedTuple

from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.messages import TICKET_BYTES
from swarm.sealing import SECRET_BYTES, derive
from swarm.tickets import Ticket
from swarm.units import StreamId

LINK_SECRET_BYTES: Final = 16

_FOR_ALL: Final = "s"
_FROM_WORDS: Final = "p"
_TICKET_AND_KEY: Final = "t"
_TICKET: Final = "w"
_LENGTHS: Final = {_FOR_ALL: LINK_SECRET_BYTES, _FROM_WORDS: SECRET_BYTES}
_TICKET_LENGTHS: Final = {_TICKET_AND_KEY: TICKET_BYTES + SECRET_BYTES, _TICKET: TICKET_BYTES}


class Shown(NamedTuple):
    """A ticket as a link carries it; without ``viewer_secret`` it is for the gateway's own key."""

    ticket: bytes
    viewer_secret: bytes | None


def link_secret(owner: Identity) -> str:
    """The secret of a stream's link; the same stream has the same link at every start."""
    return _write(_FOR_ALL, derive(owner.seed, b"link secret")[:LINK_SECRET_BYTES])


def password_secret(root: bytes) -> str:
    """The text of a root secret that a password has led to."""
    return _write(_FROM_WORDS, root)


def ticket_secret(ticket: Ticket, viewer_secret: bytes | None) -> str:
    """The text of a ticket, with its viewer's key if that was made for it."""
    if viewer_secret is None:
        return _write(_TICKET, ticket.data)
    return _write(_TICKET_AND_KEY, ticket.data + viewer_secret)


def ticket_in(secret: str) -> Shown | None:
    """The ticket that a link carries; None when it carries something else. Raises LinkError for a damaged one."""
    length = _TICKET_LENGTHS.get(secret[:1])
    if length is None:
        return None
    data = _decode(secret[1:])
    if len(data) != length:
        raise LinkError("the ticket behind the # is damaged; copy the whole link again")
    return Shown(data[:TICKET_BYTES], data[TICKET_BYTES:] or None)


def root_of(secret: str, stream: StreamId) -> bytes:
    """The root secret that a link's secret leads to. Raises LinkError for a text that is none."""
    kind, data = secret[:1], _decode(secret[1:])
    if len(data) != _LENGTHS.get(kind):
        raise LinkError("what stands behind the # opens no stream; copy the whole link again")
    return derive(data, b"link root", stream) if kind == _FOR_ALL else data


def is_whole(secret: str) -> bool:
    """Whether a text is a secret of some kind, as long as it has to be."""
    length = (_LENGTHS | _TICKET_LENGTHS).get(secret[:1])
    return length is not None and len(_decode(secret[1:])) == length


def shareable(secret: str) -> str:
    """The secret, if it is one for everybody who is given the link; else nothing."""
    return secret if secret.startswith(_FOR_ALL) else ""


def _write(kind: str, data: bytes) -> str:
    return kind + base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if _write("", data) == text else b""
