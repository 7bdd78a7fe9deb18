"""The numbers of a stream's epochs, pieces and segments: they only grow, across pauses and restarts alike.

They start from the wall clock, so that a broadcaster that was restarted goes on above where it was without having
stored anything; from there on they are counted. Discontinuities alone start at 0: a new epoch says enough.
"""

START_OF_COUNT_S = 1_700_000_000
"""Segments are counted from here (November 2023), so that their numbers stay short."""


class Numbering:
    """Where one stream is. Lives as long as the stream does in this process; every input makes one epoch."""

    def __init__(self, *, unix_s: float, piece_s: float, segment_s: float) -> None:
        self.epoch = int(unix_s)
        self.piece = int(unix_s * 1e6) // round(piece_s * 1e6)
        self.segment = int((unix_s - START_OF_COUNT_S) / segment_s)
        # Counted from 0: hls.js walks an array that is as long as this number at every playlist.
        self.discontinuity = 0
        self.index = 0
        self._begun = False

    def begin_epoch(self, unix_s: float) -> None:
        """A new input, whose times have nothing to do with those before."""
        if not self._begun:
            self._begun = True
            return
        self.epoch = max(self.epoch + 1, int(unix_s))
        self.discontinuity += 1

    def begin_segment(self) -> None:
        """The next piece is the first of a segment. The first segment of all keeps the number that it started from."""
        if self.index:
            self.segment += 1
            self.index = 0

    def take(self) -> int:
        """The next piece's number; its place in the segment was ``index``."""
        number = self.piece
        self.piece += 1
        self.index += 1
        return number
