"""Numbered objects of one track, brought into order while they come: late ones waited for, repeated ones passed over.

The object whose turn it is goes out as its bytes come; those after it are kept until then, within bounds.
"""

from collections.abc import Callable

from gateway.ingest.errors import PushUnusable

AHEAD_MAX = 4
"""So many whole objects after a missing one, and it is given up."""
AHEAD_BYTES_MAX = 16 << 20
OBJECTS_MAX = 64
"""Begun and not through yet: behind one that comes slowly there may be many small ones."""
BEHIND_MAX = 8
"""A number further back is of an encoder that was started anew, and so is the first one when three are through."""
FIRST_MAX, FIRST_BEHIND = 1, 3


class ObjectOrder:
    """``out`` takes bytes in order, ``ended`` is called after each object."""

    def __init__(self, out: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._out = out
        self._ended = ended
        self.next: int | None = None
        """The number whose turn it is; None before the first."""
        self._kept: dict[int, bytearray] = {}
        self._whole: set[int] = set()

    def starts_anew(self, number: int, *, init_again: bool = False) -> bool:
        """Whether an object of this number can only be one of an encoder that was started anew.

        ``init_again``: the init segment was sent again before it, as such an encoder does.
        """
        behind = (self.next if self.next is not None else number) - number
        if init_again and -behind > AHEAD_MAX:
            return True
        return behind > BEHIND_MAX or (number <= FIRST_MAX and behind >= (1 if init_again else FIRST_BEHIND))

    def begin(self, number: int) -> bool:
        """An object has begun to come; whether it is wanted. Raises PushUnusable when too many wait for their turn."""
        if self.next is None:
            self.next = number
        if number < self.next or number in self._kept:
            return False
        if len(self._kept) >= OBJECTS_MAX:
            raise PushUnusable("Too many segments at once. Send them one after the other.")
        self._kept[number] = bytearray()
        return True

    def feed(self, number: int, data: bytes) -> None:
        """More bytes of an object that is wanted. Raises PushUnusable when too much waits for its turn."""
        if (kept := self._kept.get(number)) is None:
            return
        if number == self.next:
            self._out(bytes(kept) + data)
            kept.clear()
            return
        kept += data
        if sum(map(len, self._kept.values())) > AHEAD_BYTES_MAX:
            raise PushUnusable("Too much came out of order. Send the segments one after the other.")

    def end(self, number: int) -> None:
        """An object is whole."""
        if number in self._kept:
            self._whole.add(number)
            self._advance()
            if len(self._whole) >= AHEAD_MAX:
                self.next = min(self._kept)
                self._advance()

    def drop(self, number: int) -> None:
        """An object broke off: what went out of it stays, else it may come again."""
        kept = self._kept.pop(number, None)
        if kept is not None and number == self.next and not kept:
            self._ended()
            self.next += 1
            self._advance()

    def _advance(self) -> None:
        while self.next in self._kept:
            assert self.next is not None
            kept = self._kept[self.next]
            if kept:
                self._out(bytes(kept))
                kept.clear()
            if self.next not in self._whole:
                return
            self._whole.discard(self.next)
            del self._kept[self.next]
            self._ended()
            self.next += 1
