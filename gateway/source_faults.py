"""What is wrong with what a stream's broadcaster signs: counted, and logged ever more rarely. No peer is to blame."""

import logging

from gateway.media.errors import MediaError
from swarm.events import Equivocation, PieceReady

logger = logging.getLogger(__name__)


class SourceFaults:
    """The faults of one stream's broadcaster. ``name``: the stream's, for the log."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._equivocations = 0
        self.pieces_broken = 0

    def broken(self, ready: PieceReady, error: MediaError) -> None:
        """A piece that is signed and still no media."""
        self.pieces_broken += 1
        if self.pieces_broken.bit_count() == 1:
            logger.warning(
                "%s: piece %d is broken (%d so far): %s", self._name, ready.number, self.pieces_broken, error
            )

    def signed_twice(self, news: Equivocation) -> None:
        """Two pieces of one number; both headers prove it."""
        self._equivocations += 1
        if self._equivocations.bit_count() == 1:
            first, second = (header.hex() for header in news.headers)
            logger.warning(
                "%s: its broadcaster signed piece %d twice (%d such pieces so far), or two broadcasters use its key; "
                "the proof: %s %s",
                self._name, news.number, self._equivocations, first, second,
            )  # fmt: skip
