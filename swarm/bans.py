"""Peers that broke a proof over their own link, and until when nothing is had to do with them."""

from swarm.units import PeerId

BAN_S = 600.0
BANS_MAX = 1024


class Bans(dict[PeerId, float]):
    """By key, until when; the oldest go when there are too many."""

    def ban(self, key: PeerId, now: float) -> None:
        if len(self) >= BANS_MAX:
            self.pop(next(iter(self)))
        self[key] = now + BAN_S

    def holds(self, key: PeerId, now: float) -> bool:
        """Whether this peer is banned now."""
        return self.get(key, now) > now
