"""Segments and parts as single pieces of bytes: joined once, however many players ask for the same one.

Several hundred players ask for the newest at about the same moment; the ones used last are kept, up to a size.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from gateway.media.parts import Buffer

BYTES_MAX = 8 * 1024 * 1024
"""Of what is kept for one stream; what is larger by itself is joined each time."""


class Joined:
    """The bytes by what they are of."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0

    @property
    def size_bytes(self) -> int:
        return self._size

    def get(self, key: Hashable, buffers: Sequence[Buffer]) -> Sequence[Buffer]:
        """One buffer in place of many. What a key stands for never changes."""
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return (known,)
        size = sum(map(len, buffers))
        if not size or size > BYTES_MAX:
            return buffers
        data = self._kept[key] = b"".join(buffers)
        self._size += size
        while self._size > BYTES_MAX:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest)
        return (data,)
