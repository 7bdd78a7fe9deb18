"""What the user and the application choose for a node; everything else follows from measuring."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Rates in bit/s, times in seconds.

    ``uplink_guess_bps`` is what the uplink carried another day, 0 when nothing is known of it; ``upload_cap_bps`` is
    the user's limit, 0 for none; ``source_multiple`` bounds what a broadcaster sends, as a multiple of its bitrate.
    """

    uplink_guess_bps: float = 0.0
    upload_cap_bps: float = 0.0
    download_only: bool = False
    source_multiple: float = 3.0
    neighbours: int = 20
    links_max: int = 64
    spares: int = 1
    keeps_past: bool = False
    """The application keeps old pieces, and answers PieceWanted."""
    give_up_s: float = 2.0
    """A piece that is not whole so long after its first block was due is reported as lost."""
