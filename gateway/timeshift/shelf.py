"""The whole segments of one stream on disk, bounded in time and bytes.

A folder holds a file for each segment and one for each epoch's init segment. Files appear under their names only when
they are whole, so a crash at any moment leaves nothing worse than a file to be swept away. Reading and writing happen
in threads; everything else in one event loop. A disk that is full or too slow costs segments, never the live stream.

A sealed stream's pieces are written as they came, and its init segments not at all: what opens them is in memory alone,
and so nothing of it is of use to the next run, which sweeps it away.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple

from gateway.live.segments import Segment
from gateway.media.errors import MediaError
from gateway.media.hls import SegmentLine
from gateway.media.multivariant import Bandwidth
from gateway.media.parts import InitSegment
from gateway.media.tracks import read_init
from gateway.timeshift import segment_file
from gateway.timeshift.segment_file import Keys, NoKeys, SegmentHead, head_of

logger = logging.getLogger(__name__)

WRITES_WAITING_MAX = 16
"""Segments that wait for the disk; more are left out."""

ROOM_SHARE = 0.9
"""Of what a shelf may hold, what is filled from before: the rest is for what comes."""

READ_AHEAD = 8
"""Segments kept after they were read: several players look at the same ones."""

HEAD_READ_BYTES = 32 * 1024
SEGMENT_SUFFIX = ".segment"
INIT_SUFFIX = ".init.mp4"
UNFINISHED_SUFFIX = ".unfinished"


class Limits(NamedTuple):
    """How far back a shelf goes: in seconds, and in bytes."""

    seconds: float
    size_bytes: int


class Place(NamedTuple):
    """A segment on the shelf; ``numbers`` are those of its first and its last piece, where they are known.

    ``key_names`` are those of the keys that open it.
    """

    line: SegmentLine
    size_bytes: int
    numbers: tuple[int, int] | None = None
    key_names: frozenset[bytes] = frozenset()


class Shelf:
    """The segments of one stream, oldest first. Open it once, in a thread, before anything else."""

    def __init__(self, folder: Path, limits: Limits, pool: Executor) -> None:
        self._folder = folder
        self._limits = limits
        self._pool = pool
        self._places: deque[Place] = deque()
        self._waiting: deque[Segment] = deque()
        self._writing = False
        self._inits: dict[int, InitSegment] = {}
        self._read: OrderedDict[int, Segment] = OrderedDict()
        self._faults = 0
        self._usable = False
        self._opening: asyncio.Future[None] | None = None
        self.is_open = False
        self.keys: Keys = NoKeys()
        """What opens a sealed stream's segments."""

    @property
    def last(self) -> SegmentLine | None:
        """The newest segment, what waits to be written included."""
        if self._waiting:
            return _line(self._waiting[-1])
        return self._places[-1].line if self._places else None

    def has(self, edition: int, number: int) -> bool:
        """Whether a piece of this epoch of a rendition is on it, or older than what is."""
        newest = _place_of(self._waiting[-1], 0) if self._waiting else self._places[-1] if self._places else None
        return newest is not None and newest.line.epoch == edition and number <= (newest.numbers or (0, 0))[1]

    @property
    def first(self) -> Place | None:
        """The oldest segment."""
        return self._places[0] if self._places else None

    @property
    def size_bytes(self) -> int:
        return sum(place.size_bytes for place in self._places)

    @property
    def duration_s(self) -> float:
        return sum(place.line.duration_s for place in self._places)

    def bandwidth(self) -> Bandwidth | None:
        """Measured over all of it; None while there is nothing."""
        shown = [place for place in self._places if place.size_bytes and place.line.duration_s > 0]
        if not shown:
            return None
        rates = [8 * place.size_bytes / place.line.duration_s for place in shown]
        return Bandwidth(
            peak_bps=max(1, round(max(rates))),
            average_bps=max(1, round(8 * sum(p.size_bytes for p in shown) / sum(p.line.duration_s for p in shown))),
        )

    @property
    def has_room(self) -> bool:
        """Whether older segments would stay."""
        limits = self._limits
        return self.duration_s < ROOM_SHARE * limits.seconds and self.size_bytes < ROOM_SHARE * limits.size_bytes

    def lines(self) -> list[SegmentLine]:
        """What can be played, without parts: from the first segment on whose keys are here; without keys are gaps."""
        names = {name for place in self._places for name in place.key_names}
        missing = {name for name in names if not self.keys.has(name)}
        places = dropwhile(lambda place: place.key_names & missing, self._places)
        return [replace(place.line, gap=True) if place.key_names & missing else place.line for place in places]

    def init(self, epoch: int) -> InitSegment | None:
        return self._inits.get(epoch)

    async def open_in_thread(self, *, now_us: int) -> None:
        """The same as ``open``, without blocking the loop; several may ask at once."""
        if self._opening is None and not self.is_open:
            loop = asyncio.get_running_loop()
            self._opening = loop.run_in_executor(self._pool, lambda: self.open(now_us=now_us))
        if self._opening is not None:
            await asyncio.shield(self._opening)
            self._opening = None

    def open(self, *, now_us: int) -> None:
        """Find what an earlier run has left; what is damaged, unfinished or too old is swept away.

        Of several runs of segments the newest is taken. Blocks. A folder that cannot be used makes a shelf that keeps
        nothing.
        """
        if self.is_open:
            return
        try:
            self._find_all(now_us)
            self._usable = True
        except OSError as error:
            self._tell(f"cannot be used: {error}")
        self.is_open = True

    def put(self, segment: Segment) -> None:
        """Take in a segment that is whole and follows the last one; one that does not is left out."""
        last = self.last
        if not self._usable:
            return
        if last is not None and segment.msn != last.msn + 1:
            if segment.msn <= last.msn:
                return
            self.clear()
        if len(self._waiting) >= WRITES_WAITING_MAX:
            self._tell(f"segment {segment.msn} is left out: the disk is too slow")
            self.clear()
        self._inits.setdefault(segment.epoch, segment.init)
        self._waiting.append(segment)
        if not self._writing:
            self._writing = True
            self._write_next()

    def put_before(self, segment: Segment) -> None:
        """Take in a whole segment from before the first one; one that does not end there is left out."""
        first = self.first
        if not self._usable or first is None or segment.msn != first.line.msn - 1:
            return
        head = head_of(segment)
        self._places.appendleft(_place_at(head, sum(slot.size_bytes for slot in head.slots)))
        self._remember(segment)
        write = asyncio.get_running_loop().run_in_executor(
            self._pool, _write, self._path(segment.msn), segment, self._init_path(segment.epoch)
        )
        write.add_done_callback(lambda done: self._written_before(segment.msn, done))

    async def record(self, number: int, mark: bytes) -> bytes | None:
        """A piece as it was signed, header and payload, whose header begins with ``mark``; None when it is not here."""
        place = next((p for p in self._places if p.numbers and p.numbers[0] <= number <= p.numbers[1]), None)
        segment = await self.segment(place.line.msn) if place is not None else None
        slots = segment.slots if segment is not None else ()
        found = next((slot.record for slot in slots if slot.number == number and slot.record is not None), None)
        return found.data if found is not None and found.header.startswith(mark) else None

    def clear(self) -> None:
        """Forget everything but what is being written."""
        self._drop(len(self._places))
        self._waiting.clear()
        self._read.clear()

    async def segment(self, msn: int) -> Segment | None:
        """Read a segment; None when it is not here, or its file is damaged."""
        known = self._read.get(msn)
        if known is not None:
            self._read.move_to_end(msn)
            return known
        place = self._place(msn)
        init = self._inits.get(place.line.epoch) if place is not None else None
        if place is None or init is None:
            return None
        loop = asyncio.get_running_loop()
        try:
            segment = await loop.run_in_executor(self._pool, _read, self._path(msn), init, self.keys)
        except (OSError, MediaError) as error:
            self._tell(f"segment {msn} cannot be read: {error}")
            return None
        if not (place.key_names and segment.gap):  # its keys may come
            self._remember(segment)
        return segment

    def _remember(self, segment: Segment) -> None:
        self._read[segment.msn] = segment
        while len(self._read) > READ_AHEAD:
            self._read.popitem(last=False)

    def _find_all(self, now_us: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        found = sorted(filter(None, map(_find, self._folder.iterdir())), key=lambda place: place.line.msn)
        inits = {int(path.name.removesuffix(INIT_SUFFIX)): path for path in self._folder.glob(f"[0-9]*{INIT_SUFFIX}")}
        for epoch, path in inits.items():
            with suppress(MediaError):
                self._inits[epoch] = read_init(path.read_bytes())
        run = _newest_run([place for place in found if place.line.epoch in self._inits])
        if run and run[-1].line.date_us < now_us - self._limits.seconds * 1e6:
            run = []
        self._places = deque(run)
        epochs = {place.line.epoch for place in run}
        self._inits = {epoch: init for epoch, init in self._inits.items() if epoch in epochs}
        kept = {self._path(place.line.msn) for place in run} | {self._init_path(epoch) for epoch in epochs}
        for path in self._folder.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)

    def _place(self, msn: int) -> Place | None:
        index = msn - self._places[0].line.msn if self._places else -1
        return self._places[index] if 0 <= index < len(self._places) else None

    def _write_next(self) -> None:
        segment = self._waiting[0]
        init_path = self._init_path(segment.epoch)
        write = asyncio.get_running_loop().run_in_executor(
            self._pool, _write, self._path(segment.msn), segment, init_path
        )
        write.add_done_callback(lambda done: self._written(segment, done))

    def _written(self, segment: Segment, done: "asyncio.Future[int]") -> None:
        if self._waiting and self._waiting[0] is segment:
            self._waiting.popleft()
            error = None if done.cancelled() else done.exception()
            if done.cancelled() or error is not None:
                # Players need numbers without holes: what was before is lost to them too.
                self._tell(f"segment {segment.msn} cannot be kept: {error}")
                self.clear()
            else:
                self._places.append(_place_of(segment, done.result()))
                self._evict()
        self._writing = bool(self._waiting)
        if self._waiting:
            self._write_next()

    def _written_before(self, msn: int, done: "asyncio.Future[int]") -> None:
        """What cannot be read back from the disk, and what is older, is not here."""
        if done.cancelled() or (error := done.exception()) is None:
            return
        self._tell(f"segment {msn} cannot be kept: {error}")
        older = sum(place.line.msn <= msn for place in self._places)
        self._drop(older)

    def _evict(self) -> None:
        excess_s = sum(place.line.duration_s for place in self._places) - self._limits.seconds
        excess_bytes = self.size_bytes - self._limits.size_bytes
        count = 0
        for place in self._places:
            if excess_s <= 0 and excess_bytes <= 0:
                break
            excess_s -= place.line.duration_s
            excess_bytes -= place.size_bytes
            count += 1
        self._drop(count)

    def _drop(self, count: int) -> None:
        """Remove the oldest ones, and init segments that nothing needs any more."""
        dropped = [self._places.popleft() for _ in range(count)]
        paths = [self._path(place.line.msn) for place in dropped]
        needed = {place.line.epoch for place in self._places} | {segment.epoch for segment in self._waiting}
        for epoch in {place.line.epoch for place in dropped} - needed:
            self._inits.pop(epoch, None)
            paths.append(self._init_path(epoch))
        if paths:
            self._pool.submit(_remove, paths)

    def _path(self, msn: int) -> Path:
        return self._folder / f"{msn}{SEGMENT_SUFFIX}"

    def _init_path(self, epoch: int) -> Path:
        return self._folder / f"{epoch}{INIT_SUFFIX}"

    def _tell(self, fault: str) -> None:
        """Log a fault, ever more rarely."""
        self._faults += 1
        if self._faults.bit_count() == 1:
            logger.warning("time-shift in %s: %s (%d faults so far)", self._folder, fault, self._faults)


def _line(segment: Segment) -> SegmentLine:
    return _line_of(head_of(segment))


def _place_of(segment: Segment, size_bytes: int) -> Place:
    return _place_at(head_of(segment), size_bytes)


def _place_at(head: SegmentHead, size_bytes: int) -> Place:
    numbers = [slot.number for slot in head.slots if slot.number is not None]
    return Place(_line_of(head), size_bytes, (min(numbers), max(numbers)) if numbers else None, head.key_names)


def _line_of(head: SegmentHead) -> SegmentLine:
    return SegmentLine(
        msn=head.msn,
        epoch=head.epoch,
        discontinuity=head.discontinuity,
        date_us=head.capture_us,
        duration_s=head.duration_s,
        parts=(),
        complete=True,
        gap=head.gap,
    )


def _find(path: Path) -> Place | None:
    """The segment in a file; None for any other file."""
    if path.suffix != SEGMENT_SUFFIX:
        return None
    try:
        with path.open("rb") as file:
            head = segment_file.read_head(file.read(HEAD_READ_BYTES))
        size_bytes = path.stat().st_size
    except (OSError, MediaError):
        return None
    return _place_at(head, size_bytes) if path.name == f"{head.msn}{SEGMENT_SUFFIX}" else None


def _newest_run(places: Sequence[Place]) -> list[Place]:
    """From the end back to the first hole."""
    first = len(places) - 1
    while first > 0 and places[first - 1].line.msn == places[first].line.msn - 1:
        first -= 1
    return list(places[max(first, 0) :])


def _write(path: Path, segment: Segment, init_path: Path) -> int:
    """Write a segment, and its epoch's init segment when that is not there yet and not sealed; the file's size."""
    if not head_of(segment).key_names and not init_path.exists():
        _put_whole(init_path, segment.init.data)
    data = segment_file.to_bytes(segment)
    _put_whole(path, data)
    return len(data)


def _put_whole(path: Path, data: bytes) -> None:
    """A file that is there with all its bytes, or not at all."""
    unfinished = path.with_name(path.name + UNFINISHED_SUFFIX)
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _read(path: Path, init: InitSegment, keys: Keys) -> Segment:
    return segment_file.from_bytes(path.read_bytes(), init, keys)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
