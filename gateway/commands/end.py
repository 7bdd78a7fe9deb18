"""`seedcast end`: ends a stream for good, by a word that its key signs and that everybody passes on."""

import os
import time

from rich.console import Console

from gateway.app import keys_path, streams_folder, tombstones_folder
from gateway.broadcasts import key_path
from gateway.errors import CannotStart
from gateway.graveyard import Graveyard
from gateway.ingest.keys import IngestKeys
from gateway.key_files import read_key
from gateway.seals import Seal, find_seal
from gateway.settings import Settings
from gateway.terminal import confirm
from swarm.errors import LocalError
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.tombstone import sign_tombstone
from swarm.units import StreamId


def end_titled(settings: Settings, title: str, *, reason: str, sure: bool, console: Console) -> None:
    """End the stream that is broadcast from here under this title. Raises CannotStart."""
    owner = read_key(key_path(streams_folder(settings), title), _seal(settings))
    end_stream(settings, owner, title, reason=reason, sure=sure, console=console)


def end_pushed(settings: Settings, name: str, *, reason: str, sure: bool, console: Console) -> None:
    """End the stream of an ingest key. Raises CannotStart, KeyFileBroken."""
    keys = IngestKeys(keys_path(settings), _seal(settings))
    entry = next((entry for entry in keys.entries if entry.name == name), None)
    if entry is None:
        raise CannotStart(f"There is no key named {name}. See 'seedcast keys list'.")
    end_stream(settings, Identity(entry.seed), entry.title or name, reason=reason, sure=sure, console=console)


def end_stream(settings: Settings, owner: Identity, title: str, *, reason: str, sure: bool, console: Console) -> None:
    """Sign the tombstone and put it where the gateways of this machine find it. Raises CannotStart."""
    console.print(f"This ends {title} ({stream_name(StreamId(owner.key))}) for good, for everybody.")
    console.print(
        "Nobody carries it any more, its link is dead, and its key cannot broadcast again. There is no way back."
    )
    if not sure and not confirm("End it for good?", console):
        raise CannotStart("Nothing was done.")
    try:
        tombstone = sign_tombstone(owner, time.time_ns() // 1000, reason)
        Graveyard(tombstones_folder(settings)).store(tombstone)
    except (LocalError, OSError) as error:
        raise CannotStart(f"The stream could not be ended: {error}") from error
    console.print(
        "It is ended. A gateway or a broadcast that runs on this machine tells its viewers now, and they tell others; "
        "if none runs, start 'seedcast gateway': who asks here for the stream is told then."
    )


def _seal(settings: Settings) -> Seal:
    return find_seal(settings.key_passphrase_file, os.environ)
