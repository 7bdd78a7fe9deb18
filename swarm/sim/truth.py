"""What the source really published, made anew from the seed: the measure for everything that is sent and delivered."""

from dataclasses import dataclass

from swarm import wire
from swarm.pieces import make_piece
from swarm.sim.world import WALL_S, World

KEPT_MAX = 150
"""Pieces remembered: more than a window holds."""


@dataclass(slots=True)
class _Piece:
    payload: bytes
    messages: list[bytes]


class Truth:
    """The true bytes of each piece, by number. What was found equal once is known again by its identity."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pieces: dict[int, _Piece] = {}

    def is_payload(self, number: int, payload: bytes) -> bool:
        """Whether this is what the source published under the number."""
        piece = self._piece(number)
        if piece is None:
            return False
        if piece.payload is not payload:
            if piece.payload != payload:
                return False
            piece.payload = payload
        return True

    def is_block(self, number: int, index: int, message: bytes) -> bool:
        """Whether this is the message of that block of the piece, as the source would send it."""
        piece = self._piece(number)
        if piece is None or index >= len(piece.messages):
            return False
        if piece.messages[index] is not message:
            if piece.messages[index] != message:
                return False
            piece.messages[index] = message
        return True

    def _piece(self, number: int) -> _Piece | None:
        known = self._pieces.get(number)
        if known is None and number in self._world.published:
            if len(self._pieces) >= KEPT_MAX:
                del self._pieces[next(iter(self._pieces))]
            known = self._pieces[number] = self._made(number)
        return known

    def _made(self, number: int) -> _Piece:
        world, show = self._world, self._world.show
        payload = world.payload(number)
        sealed = make_piece(
            payload,
            stream=world.stream,
            rendition=0,
            epoch=world.epochs[number],
            number=number,
            key=number % show.key_every == 0,
            capture_us=int((world.published[number] + WALL_S) * 1e6),
            duration_us=round(show.piece_s * 1e6),
            k=show.k,
            n=show.n,
            owner=world.owner,
        )
        return _Piece(payload, wire.block_messages(sealed))
