"""How many who have not shown yet who they are may stand at a door: in all, and from one address. Pure."""

from collections import Counter


class Strangers:
    """Connections that have said nothing of worth yet."""

    def __init__(self, *, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._inside: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Whether there is room for one more from there; `leave` gives it back."""
        if self._inside.total() >= self._total or self._inside[address] >= self._per_address:
            return False
        self._inside[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._inside[address] -= 1
        if not self._inside[address]:
            del self._inside[address]


class Knocks:
    """Questions that cost something to answer, counted by the second."""

    def __init__(self, *, per_s: int, per_s_and_address: int) -> None:
        self._per_s = per_s
        self._per_s_and_address = per_s_and_address
        self._second = 0
        self._heard: Counter[str] = Counter()

    def allow(self, address: str, now_s: float) -> bool:
        """Whether one more from there is answered in this second."""
        if int(now_s) != self._second:
            self._second = int(now_s)
            self._heard.clear()
        if self._heard.total() >= self._per_s or self._heard[address] >= self._per_s_and_address:
            return False
        self._heard[address] += 1
        return True
