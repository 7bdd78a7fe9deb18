"""What opens one stream's pieces, however old: in memory alone, so that it is gone with the process.

    root secret    all periods follow from it
    periods        secrets that were given one by one; of very many the oldest are forgotten

One thread adds; others may read meanwhile.
"""

from typing import Final

from swarm.errors import MalformedMessage
from swarm.pieces import decode_header
from swarm.sealing import key_id, key_name, open_piece, period_secret, place_of

PERIOD_BYTES: Final = 4

SECRETS_MAX: Final = 1024
"""At a minute each, 17 hours; at the least rotation, three."""


class PastKeys:
    """The keys that this node has and has had of one stream."""

    def __init__(self) -> None:
        self.root: bytes | None = None
        """Of a link or a password; whether it fits is seen when something is opened."""

        self.secrets: dict[bytes, bytes] = {}
        """Of single periods, by their ids, the newest last."""

    def add(self, secret: bytes) -> None:
        """Keep a period's secret."""
        self._keep({**self.secrets, key_id(secret): secret})

    def adopt(self, before: "PastKeys") -> None:
        """Keep what was given before as well."""
        self._keep({**before.secrets, **self.secrets})

    def secret(self, name: bytes) -> bytes | None:
        """The secret of this name (`swarm.sealing.key_name`); None when it is not here."""
        period, own_id = int.from_bytes(name[:PERIOD_BYTES], "big"), name[PERIOD_BYTES:]
        given = self.secrets.get(own_id)
        if given is not None or self.root is None:
            return given
        derived = period_secret(self.root, period)
        return derived if key_id(derived) == own_id else None

    def has(self, name: bytes) -> bool:
        """Whether pieces under the secret of this name can be opened."""
        return self.secret(name) is not None

    def open(self, header: bytes, sealed: bytes) -> bytes | None:
        """The payload of a piece that the source has signed; None without its key."""
        try:
            place = place_of(decode_header(header))
        except MalformedMessage:
            return None
        secret = self.secret(key_name(sealed))
        return open_piece(sealed, place, secret) if secret is not None else None

    def _keep(self, secrets: dict[bytes, bytes]) -> None:
        while len(secrets) > SECRETS_MAX:
            del secrets[next(iter(secrets))]
        self.secrets = secrets  # whole, for those who read meanwhile
