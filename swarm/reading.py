"""From the network's bytes to checked values: the dear part of a node's work, and a pure one.

A node reads with a ``Reader``. The same bytes give the same result for every node, so the simulator's reader
remembers results for all its nodes at once.
"""

from collections.abc import Mapping

from swarm import wire
from swarm.coding import code
from swarm.errors import MalformedMessage, ProofError
from swarm.merkle import check
from swarm.pieces import PieceHeader, reseal, verify_header
from swarm.units import StreamId


class Reader:
    """Reads, checks and rebuilds, and remembers nothing."""

    __slots__ = ()

    def message(self, data: bytes) -> wire.Message:
        """A control message. Raises MalformedMessage."""
        return wire.decode(data)

    def signed(self, header: PieceHeader, stream: StreamId) -> bool:
        """Whether the stream's key signed this header."""
        return verify_header(header, stream)

    def check_block(self, header: PieceHeader, index: int, data: bytes) -> None:
        """Whether a block message is number ``index`` of the signed piece.

        Raises MalformedMessage for a wrong size, ProofError for a path that does not lead to the root.
        """
        _, path, payload = wire.split_block(data, header.n)
        if len(payload) != header.block_bytes:
            raise MalformedMessage("block has the wrong size")
        if not check(header.root, header.n, index, path, payload):
            raise ProofError("block does not belong to the signed piece")

    def payload(self, header: PieceHeader, messages: Mapping[int, bytes]) -> bytes:
        """The piece from k or more of its checked block messages, by index."""
        blocks = {index: wire.split_block(data, header.n)[2] for index, data in messages.items()}
        return code(header.k, header.n).rebuild(blocks, header.length)

    def regrown(self, header: PieceHeader, payload: bytes) -> list[bytes]:
        """All n block messages of a whole piece.

        Raises ProofError when the payload does not lead to the signed root: the source signed a broken code.
        """
        sealed = reseal(header, payload)
        if sealed is None:
            raise ProofError("the source's signed root does not match its own blocks")
        return wire.block_messages(sealed)


READER = Reader()
