"""What the user and the application choose for a node; everything else follows from measuring."""

from dataclasses import dataclass

from swarm.units import Address, PeerId


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
    only_addresses: frozenset[Address] = frozenset()
    only_keys: frozenset[PeerId] = frozenset()
    """If one of the two is not empty, there is no link to anybody else."""

    def admits(self, address: Address, key: PeerId | None) -> bool:
        """Whether this peer may be a neighbour; of a dial, ``key`` is the one that it is pinned to."""
        if not self.only_addresses and not self.only_keys:
            return True
        return address in self.only_addresses or key in self.only_keys

    def may_admit(self, address: Address) -> bool:
        """The same before the key of who comes is known."""
        return bool(self.only_keys) or self.admits(address, None)
