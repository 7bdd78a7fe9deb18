"""The streams that this node knows to be over for good, and the proof of each: it is shown to whoever asks for one."""

from swarm.manifest import RENDITIONS_MAX
from swarm.pieces import swarm_tag
from swarm.tombstone import Tombstone
from swarm.units import StreamId, SwarmTag

GRAVES_MAX = 1024


class Graves:
    """Tombstones by stream; of too many the oldest is forgotten."""

    def __init__(self) -> None:
        self._stones: dict[StreamId, Tombstone] = {}
        self._by_tag: dict[SwarmTag, StreamId] = {}

    def __contains__(self, stream: StreamId) -> bool:
        return stream in self._stones

    def __len__(self) -> int:
        return len(self._stones)

    def add(self, tombstone: Tombstone) -> bool:
        """Keep it; False when the stream has one already."""
        if tombstone.stream in self._stones:
            return False
        if len(self._stones) >= GRAVES_MAX:
            oldest = next(iter(self._stones))
            del self._stones[oldest]
            self._by_tag = {tag: stream for tag, stream in self._by_tag.items() if stream != oldest}
        self._stones[tombstone.stream] = tombstone
        for rendition in range(RENDITIONS_MAX):
            self._by_tag[swarm_tag(tombstone.stream, rendition)] = tombstone.stream
        return True

    def get(self, stream: StreamId) -> Tombstone | None:
        """The proof that a stream is over, if it is."""
        return self._stones.get(stream)

    def of_swarm(self, tag: SwarmTag) -> Tombstone | None:
        """The same, by the tag of one of its swarms."""
        stream = self._by_tag.get(tag)
        return self._stones[stream] if stream is not None else None
