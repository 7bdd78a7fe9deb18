"""Who was found out to take and not to give as it said: it is served last for a while.

What a peer advertises is its own word. Those who become its children see what it is worth; what they, or this node
itself, find out comes here. It is no proof, so nobody is banned for it, and it wears off.
"""

from dataclasses import dataclass, field

from swarm.units import PeerId

DEMOTED_MAX = 256
DEMOTION_S = 60.0
"""How long who was found out is served last."""


@dataclass(slots=True)
class Standing:
    """The demoted by key, so that a new link does not shake it off; bounded, the oldest make way."""

    _until_s: dict[PeerId, float] = field(default_factory=dict)

    def demote(self, key: PeerId, until_s: float) -> None:
        """Serve this peer last until then."""
        self._until_s.pop(key, None)
        if len(self._until_s) >= DEMOTED_MAX:
            del self._until_s[next(iter(self._until_s))]
        self._until_s[key] = until_s

    def is_demoted(self, key: PeerId, now: float) -> bool:
        return self._until_s.get(key, now) > now

    def demoted(self, now: float) -> set[PeerId]:
        """Who is served last now."""
        return {key for key, until_s in self._until_s.items() if until_s > now}
