"""What the swarm hands out, read as media before anything is made of it."""

from gateway.live.order import Piece
from gateway.live.window import check
from gateway.media.payload import Record, unpack
from swarm.events import PieceReady
from swarm.sealing import key_name


def read_piece(ready: PieceReady) -> Piece:
    """A piece that came whole and true. Raises MediaError when it is no media."""
    piece = Piece(
        number=ready.number,
        epoch=ready.epoch,
        capture_us=ready.capture_us,
        duration_us=ready.duration_us,
        content=unpack(ready.payload),
        rendition=ready.rendition,
        record=_record(ready) if ready.header else None,
    )
    check(piece)
    return piece


def _record(ready: PieceReady) -> Record:
    if ready.sealed:
        return Record(ready.header, ready.sealed, key_name(ready.sealed))
    return Record(ready.header, ready.payload)
