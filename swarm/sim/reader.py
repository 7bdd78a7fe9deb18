"""One reader for all nodes of a simulated swarm: what one of them has checked, the others need not check again."""

from collections.abc import Mapping
from typing import TypeVar

from swarm import wire
from swarm.pieces import PieceHeader
from swarm.reading import Reader
from swarm.units import StreamId

KEPT_MAX = 20_000
"""Results of each kind; the simulator's nodes ask for the same ones at about the same time."""

K = TypeVar("K")
V = TypeVar("V")


class SharedReader(Reader):
    """Remembers good results. What fails is done anew each time, so that its error is the true one."""

    __slots__ = ("_blocks", "_messages", "_payloads", "_regrown", "_signed")

    def __init__(self) -> None:
        self._messages: dict[bytes, wire.Message] = {}
        self._signed: dict[tuple[PieceHeader, StreamId], bool] = {}
        self._blocks: dict[bytes, int] = {}
        self._payloads: dict[PieceHeader, bytes] = {}
        self._regrown: dict[PieceHeader, list[bytes]] = {}

    def message(self, data: bytes) -> wire.Message:
        known = self._messages.get(data)
        return known if known is not None else _keep(self._messages, data, super().message(data))

    def signed(self, header: PieceHeader, stream: StreamId) -> bool:
        known = self._signed.get((header, stream))
        return known if known is not None else _keep(self._signed, (header, stream), super().signed(header, stream))

    def check_block(self, header: PieceHeader, index: int, data: bytes) -> None:
        if data not in self._blocks:
            super().check_block(header, index, data)
            _keep(self._blocks, data, index)

    def payload(self, header: PieceHeader, messages: Mapping[int, bytes]) -> bytes:
        known = self._payloads.get(header)
        return known if known is not None else _keep(self._payloads, header, super().payload(header, messages))

    def regrown(self, header: PieceHeader, payload: bytes) -> list[bytes]:
        known = self._regrown.get(header)
        return known if known is not None else _keep(self._regrown, header, super().regrown(header, payload))


def _keep(kept: dict[K, V], key: K, value: V) -> V:
    if len(kept) >= KEPT_MAX:
        for old in list(kept)[: KEPT_MAX // 2]:
            del kept[old]
    kept[key] = value
    return value
