"""The secret keys of the streams of this machine: of inputs in their files, of pushes beside their ingest keys."""

from pathlib import Path

from gateway.errors import CannotStart
from gateway.ingest.keys import IngestKeys
from gateway.key_files import read_key
from gateway.seals import Seal
from swarm.identity import Identity
from swarm.units import StreamId


def find_owner(folder: Path, keys: IngestKeys, stream: StreamId, seal: Seal) -> Identity:
    """The key of a stream, whoever uses it at the moment; ``folder``: of inputs' keys, under ``seal``.

    Raises WrongPassphrase, CannotStart.
    """
    for path in sorted(folder.glob("*.key")):
        owner = read_key(path, seal)
        if owner.key == stream:
            return owner
    for entry in keys.entries:
        if (owner := Identity(entry.seed)).key == stream:
            return owner
    raise CannotStart("This stream's key is not on this machine: only where it is broadcast tickets can be made.")
