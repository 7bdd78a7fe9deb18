"""How a stream that is broadcast from here is sealed: what its owner has chosen, and the secrets that follow."""

import secrets
from dataclasses import dataclass, field

from swarm.credentials import link_secret, root_of
from swarm.identity import Identity
from swarm.passwords import COST, password_root
from swarm.sealer import ROTATION_S, Sealing
from swarm.sealing import SALT_BYTES, SESSION_BYTES, Admission, derive
from swarm.units import StreamId


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSeal:
    """How viewers are let in. ``secret`` is what a link for them carries, if it carries any."""

    admission: Admission
    root: bytes = field(repr=False)
    secret: str = field(default="", repr=False)
    rotation_s: int = ROTATION_S
    salt: bytes = bytes(SALT_BYTES)
    cost: int = 0

    def fresh(self) -> Sealing:
        """For another epoch: with a session of its own, so that nothing is sealed twice under one key and nonce."""
        return Sealing(
            admission=self.admission,
            session=secrets.token_bytes(SESSION_BYTES),
            root=self.root,
            rotation_s=self.rotation_s,
            salt=self.salt,
            cost=self.cost,
        )


def seal_of(owner: Identity, admission: Admission | None, rotation_s: int) -> StreamSeal | None:
    """Of a stream that is open to all, for who has its link or a ticket, or one that is sealed by a password later."""
    if admission is Admission.LINK:
        return by_link(owner, rotation_s)
    return by_tickets(owner, rotation_s) if admission is Admission.TICKET else None


def by_link(owner: Identity, rotation_s: int) -> StreamSeal:
    """Who has the link watches."""
    secret = link_secret(owner)
    return StreamSeal(
        admission=Admission.LINK, root=root_of(secret, StreamId(owner.key)), secret=secret, rotation_s=rotation_s
    )


def by_tickets(owner: Identity, rotation_s: int) -> StreamSeal:
    """Who has a ticket watches, until it ends or is taken back."""
    return StreamSeal(admission=Admission.TICKET, root=derive(owner.seed, b"ticket root"), rotation_s=rotation_s)


def by_password(owner: Identity, password: str, rotation_s: int) -> StreamSeal:
    """Who knows the password watches. Takes a moment, and memory: call it in a thread.

    The salt is the stream's own and stays, so that what a viewer's machine has reckoned out once opens it again.
    """
    salt = derive(owner.seed, b"password salt")[:SALT_BYTES]
    root = password_root(password, salt, COST)
    return StreamSeal(admission=Admission.PASSWORD, root=root, rotation_s=rotation_s, salt=salt, cost=COST)
