"""How often each address may ask: a rate for it, or for its whole prefix where addresses cost nothing (IPv6)."""

from dataclasses import dataclass, field
from typing import Final

from swarm.prefixes import crowd
from swarm.units import Address

RATE: Final = 1.0
BURST: Final = 60.0
"""Requests a second in the long run, and at once: sixty viewers behind one address, each within the least interval."""

WATCHED_MAX: Final = 20_000


@dataclass(slots=True)
class Rates:
    """Whom to serve. Remembers a bounded number of addresses; who has not asked for long is forgotten first."""

    _until_s: dict[str, float] = field(default_factory=dict)

    def admits(self, address: Address, now: float) -> bool:
        """Whether this request is served; counts it if so."""
        name = crowd(address) if ":" in address.host else address.host
        until_s = max(now, self._until_s.pop(name, now))
        allowed = until_s - now <= (BURST - 1) / RATE
        if len(self._until_s) >= WATCHED_MAX:
            del self._until_s[next(iter(self._until_s))]
        self._until_s[name] = until_s + 1 / RATE if allowed else until_s
        return allowed
