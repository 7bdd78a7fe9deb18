"""What is on the shelf after writing, restarting, running out of disk, and being swept."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.live.segments import Segment
from gateway.timeshift.shelf import READ_AHEAD, WRITES_WAITING_MAX, Limits, Shelf
from gateway.timeshift.shelves import KEPT_S, LOCK, Shelves
from tests.gateway.media_fixture import CAPTURE_US
from tests.gateway.timeshift.past_segments import FakeKeys, recorded, sealed_segments, whole_segments

NOW_US = CAPTURE_US + 10_000_000
AMPLE = Limits(1800.0, 1 << 30)


class Disk:
    """A folder, the one thread that works on it, and shelves that are opened on it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "stream"
        self.pool = ThreadPoolExecutor(max_workers=1)

    def shelf(self, limits: Limits = AMPLE, *, now_us: int = NOW_US) -> Shelf:
        shelf = Shelf(self.folder, limits, self.pool)
        shelf.open(now_us=now_us)
        return shelf

    async def idle(self) -> None:
        """Until all that was asked of the thread is done, and what follows from it."""
        for _ in range(2 * WRITES_WAITING_MAX):
            await asyncio.get_running_loop().run_in_executor(self.pool, lambda: None)
            await asyncio.sleep(0)

    async def filled(self, limits: Limits = AMPLE, segments: Sequence[Segment] = whole_segments()) -> Shelf:
        shelf = self.shelf(limits)
        for segment in segments:
            shelf.put(segment)
        await self.idle()
        return shelf


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def play(scene: Coroutine[None, None, None]) -> None:
    asyncio.run(scene)


def numbers(shelf: Shelf) -> list[int]:
    return [line.msn for line in shelf.lines()]


def test_what_was_put_can_be_read(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled()
        assert numbers(shelf) == list(range(100, 108))
        assert shelf.lines() == [replace(segment.line(None), parts=()) for segment in whole_segments()]
        for segment in whole_segments():
            found = await shelf.segment(segment.msn)
            assert found is not None
            assert b"".join(found.buffers(None)) == b"".join(segment.buffers(None))
        assert await shelf.segment(99) is None
        assert await shelf.segment(108) is None

    play(scene())


def test_after_a_restart_it_is_all_there_again(disk: Disk) -> None:
    async def scene() -> None:
        before = await disk.filled()
        again = disk.shelf()
        assert again.lines() == before.lines()
        assert again.size_bytes == before.size_bytes
        found = await again.segment(103)
        assert found is not None
        assert b"".join(found.buffers(2)) == b"".join(whole_segments()[3].buffers(2))

    play(scene())


def test_a_crash_leaves_nothing_but_what_is_whole(disk: Disk) -> None:
    async def scene() -> None:
        await disk.filled()
        (disk.folder / "108.segment.unfinished").write_bytes(b"half of a segm")
        (disk.folder / "109.segment").write_bytes(b"")
        (disk.folder / "strange").write_bytes(b"?")
        again = disk.shelf()
        assert numbers(again) == list(range(100, 108))
        assert {path.name for path in disk.folder.iterdir()} == {
            "7.init.mp4",
            *(f"{msn}.segment" for msn in range(100, 108)),
        }

    play(scene())


def test_of_two_runs_the_newer_one_is_taken(disk: Disk) -> None:
    async def scene() -> None:
        await disk.filled()
        (disk.folder / "104.segment").unlink()
        assert numbers(disk.shelf()) == [105, 106, 107]

    play(scene())


def test_without_its_init_segment_nothing_can_be_played(disk: Disk) -> None:
    async def scene() -> None:
        await disk.filled()
        (disk.folder / "7.init.mp4").write_bytes(b"no moov")
        assert numbers(disk.shelf()) == []

    play(scene())


def test_what_is_older_than_the_limit_is_swept_away(disk: Disk) -> None:
    async def scene() -> None:
        await disk.filled()
        assert numbers(disk.shelf(now_us=NOW_US + 1_900_000_000)) == []
        assert list(disk.folder.iterdir()) == []

    play(scene())


def test_a_file_that_was_changed_is_not_played(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled()
        path = disk.folder / "103.segment"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        assert await shelf.segment(103) is None
        assert await shelf.segment(104) is not None

    play(scene())


@pytest.mark.parametrize("limits", [Limits(3.0, 1 << 30), Limits(1800.0, 3 * 40_000)], ids=["seconds", "bytes"])
def test_the_oldest_go_when_it_is_full(disk: Disk, limits: Limits) -> None:
    async def scene() -> None:
        shelf = await disk.filled(limits)
        kept = numbers(shelf)
        assert 1 <= len(kept) < 8
        assert kept == list(range(108 - len(kept), 108))
        assert sum(line.duration_s for line in shelf.lines()) <= limits.seconds
        assert shelf.size_bytes <= limits.size_bytes
        await disk.idle()
        assert {path.name for path in disk.folder.iterdir()} == {"7.init.mp4", *(f"{msn}.segment" for msn in kept)}

    play(scene())


def test_what_comes_twice_or_late_is_left_out_and_a_hole_begins_anew(disk: Disk) -> None:
    async def scene() -> None:
        shelf, segments = disk.shelf(), whole_segments()
        for at in (0, 1, 1, 0, 2, 5, 6):
            shelf.put(segments[at])
            await disk.idle()
        assert numbers(shelf) == [105, 106]

    play(scene())


def test_a_disk_that_cannot_be_written_costs_the_past_and_nothing_else(disk: Disk) -> None:
    async def scene() -> None:
        shelf, segments = disk.shelf(), whole_segments()
        shelf.put(segments[0])
        await disk.idle()
        away = disk.folder.rename(disk.folder.with_name("away"))
        shelf.put(segments[1])
        await disk.idle()
        assert numbers(shelf) == []
        away.rename(disk.folder)
        shelf.put(segments[2])
        await disk.idle()
        assert numbers(shelf) == [102]

    play(scene())


def test_a_folder_that_cannot_be_made_keeps_nothing(disk: Disk) -> None:
    disk.folder.write_text("a file where the folder should be")

    async def scene() -> None:
        shelf = await disk.filled()
        assert numbers(shelf) == []
        assert shelf.last is None

    play(scene())


def test_a_slow_disk_holds_few_segments_in_memory(disk: Disk) -> None:
    async def scene() -> None:
        shelf, go_on = disk.shelf(), threading.Event()
        disk.pool.submit(go_on.wait)
        (first, *_) = whole_segments()
        for msn in range(100, 100 + 3 * WRITES_WAITING_MAX):
            shelf.put(replace_number(first, msn))
            assert len(shelf._waiting) <= WRITES_WAITING_MAX
        go_on.set()
        await disk.idle()
        kept = numbers(shelf)
        assert kept == list(range(kept[0], 100 + 3 * WRITES_WAITING_MAX))

    play(scene())


def test_few_of_what_was_read_stays_in_memory(disk: Disk) -> None:
    async def scene() -> None:
        shelf = disk.shelf()
        (first, *_) = whole_segments()
        for msn in range(100, 100 + 2 * READ_AHEAD):
            shelf.put(replace_number(first, msn))
        await disk.idle()
        for msn in range(100, 100 + 2 * READ_AHEAD):
            assert await shelf.segment(msn) is await shelf.segment(msn)
        assert len(shelf._read) == READ_AHEAD

    play(scene())


def test_a_window_goes_on_with_the_numbers_of_the_shelf(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled()
        kept: list[Segment] = []
        recorded(kept, before=shelf.last, capture_us=CAPTURE_US + 60_000_000).end()
        assert [segment.msn for segment in kept] == list(range(108, 116))
        assert kept[0].discontinuity == whole_segments()[-1].discontinuity + 1
        for segment in kept:
            shelf.put(segment)
        await disk.idle()
        assert numbers(shelf) == list(range(100, 116))

    play(scene())


def test_a_sealed_stream_begins_where_its_keys_do_and_has_gaps_where_they_are_missing(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled(segments=sealed_segments())
        assert shelf.lines() == []
        shelf.keys = FakeKeys(b"key-102", b"key-103", b"key-104", b"key-107")
        assert [(line.msn, line.gap) for line in shelf.lines()] == [
            (102, False),
            (103, False),
            (104, True),
            (105, True),
            (106, True),
            (107, False),
        ]
        opened, missing = await shelf.segment(102), await shelf.segment(104)
        assert opened is not None
        assert missing is not None
        assert b"".join(opened.buffers(None)) == b"".join(whole_segments()[2].buffers(None))
        assert missing.buffers(None) == []

    play(scene())


def test_a_key_that_comes_late_opens_what_was_a_gap(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled(segments=sealed_segments())
        first = await shelf.segment(100)
        assert first is not None
        assert first.gap
        shelf.keys = FakeKeys(b"key-100")
        first = await shelf.segment(100)
        assert first is not None
        assert not first.gap

    play(scene())


def test_what_cannot_be_opened_is_lent_all_the_same(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled(segments=sealed_segments())
        slot = sealed_segments()[3].slots[2]
        assert slot.number is not None
        assert slot.record is not None
        assert await shelf.record(slot.number, b"key-103") == slot.record.data

    play(scene())


def test_of_a_sealed_stream_nothing_is_left_after_a_restart(disk: Disk) -> None:
    async def scene() -> None:
        shelf = await disk.filled(segments=sealed_segments())
        shelf.keys = FakeKeys(*(b"key-%d" % msn for msn in range(100, 108)))
        assert len(shelf.lines()) == 8
        assert {path.name for path in disk.folder.iterdir()} == {f"{msn}.segment" for msn in range(100, 108)}
        assert disk.shelf().lines() == []
        assert list(disk.folder.iterdir()) == []

    play(scene())


def test_shelves_that_nobody_adds_to_are_removed_after_a_day(tmp_path: Path) -> None:
    old, young = tmp_path / "old", tmp_path / "young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "1.segment").write_bytes(b"x")

    long_ago = time.time() - KEPT_S - 60
    os.utime(old, (long_ago, long_ago))
    Shelves(tmp_path, AMPLE).close()
    assert {path.name for path in tmp_path.iterdir()} == {"young", LOCK}


def test_two_processes_do_not_keep_one_stream_in_one_folder(tmp_path: Path) -> None:
    async def scene() -> None:
        both = [Shelves(tmp_path / "timeshift", AMPLE) for _ in range(2)]
        for shelves in both:
            shelf = shelves.shelf("stream")
            shelf.open(now_us=NOW_US)
            for segment in sealed_segments():
                shelf.put(segment)
            for _ in range(2 * WRITES_WAITING_MAX):
                await asyncio.wrap_future(shelves.pool.submit(lambda: None))
                await asyncio.sleep(0)
        for shelves in both:
            shelves.close()

    play(scene())
    Shelves(tmp_path / "timeshift", AMPLE).close()
    assert {path.name for path in tmp_path.iterdir()} == {"timeshift", "timeshift-2"}
    for folder in tmp_path.iterdir():
        assert {path.name for path in (folder / "stream").iterdir()} == {f"{msn}.segment" for msn in range(100, 108)}


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_streams(tmp_path: Path) -> None:
    (tmp_path / "timeshift").write_bytes(b"a file")
    shelves = Shelves(tmp_path / "timeshift", AMPLE)
    shelf = shelves.shelf("stream")
    shelf.open(now_us=NOW_US)
    assert shelf.lines() == []
    shelves.close()


def replace_number(segment: Segment, msn: int) -> Segment:
    return Segment(
        msn=msn,
        epoch=segment.epoch,
        discontinuity=segment.discontinuity,
        capture_us=segment.capture_us,
        init=segment.init,
        slots=segment.slots,
        complete=True,
    )
