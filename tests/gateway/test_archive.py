"""The past of one stream in several renditions: kept apart, asked for together, lent from wherever it lies."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.archive import Archive
from gateway.live import LiveWindow
from gateway.live.order import Piece
from gateway.media.payload import Record, pack
from gateway.problems import Problem
from gateway.timeshift.past import Past
from gateway.timeshift.shelf import Limits, Shelf
from gateway.timeshift.shelves import LOCK, Shelves
from swarm.pieces import swarm_tag
from swarm.units import StreamId
from tests.gateway.media_fixture import PIECES_PER_SEGMENT
from tests.gateway.synthetic import Broadcaster
from tests.gateway.test_renditions import IDLE_S, NAME, STREAM, World

PLENTY = Limits(1e12, 1 << 30)


async def written(*shelves: Shelves) -> None:
    """Until all that was handed over is on disk; one segment is written after the other."""
    for _ in range(20):
        for each in shelves:
            await asyncio.wrap_future(each.pool.submit(lambda: None))
        await asyncio.sleep(0)


async def play(world: World, pieces: int, *shelves: Shelves) -> None:
    """The disks keep up."""
    for _ in range(pieces):
        world.play(1)
        await asyncio.sleep(0)
    await written(*shelves)


async def widths(past: Past) -> set[int]:
    """Of the pictures of all segments on the shelf."""
    inits = [past.shelf.init(line.epoch) for line in past.shelf.lines()]
    return {init.lead.width for init in inits if init is not None}


async def piece_numbers(shelf: Shelf) -> list[int | None]:
    segments = [await shelf.segment(line.msn) for line in shelf.lines()]
    return [slot.number for segment in segments if segment is not None for slot in segment.slots]


def test_a_pinned_rendition_has_a_past_of_its_own_beside_what_is_chosen(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, PLENTY)
    world = World(shelves)

    async def scene() -> None:
        await world.channel.watch()
        await play(world, 75, shelves)
        assert world.playing == "180p"
        await world.channels.watch(f"{NAME}/90p")
        await play(world, 25, shelves)
        chosen, pinned = await world.channels.tune(NAME), await world.channels.tune(f"{NAME}/90p")
        assert pinned.shelf is not chosen.shelf
        assert pinned.window is await world.channels.watch(f"{NAME}/90p")
        assert await widths(pinned) == {160}
        assert await widths(chosen) == {160, 320}
        assert len(pinned.shelf.lines()) >= 3

    asyncio.run(scene())


def test_a_rendition_that_is_pinned_again_goes_on_behind_what_was_kept(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, PLENTY)
    world = World(shelves)

    async def scene() -> None:
        await world.channel.watch()
        await play(world, 75, shelves)
        await world.channel.watch("180p")
        await play(world, 25, shelves)
        world.viewer.run_for(IDLE_S - 1)
        await world.channel.watch()
        world.viewer.run_for(1)
        assert not world.channel.leave_if_idle(IDLE_S), "what is chosen is the same rendition, and goes on"
        await world.channel.watch("180p")
        await play(world, 25, shelves)
        past = await world.channels.tune(f"{NAME}/180p")
        numbers = await piece_numbers(past.shelf)
        assert len(numbers) >= 6 * PIECES_PER_SEGMENT
        assert numbers == sorted(set(numbers), key=lambda number: number or 0), "nothing is there twice"
        msns = [line.msn for line in past.lines()]
        assert msns == list(range(msns[0], msns[-1] + 1))

    asyncio.run(scene())


def test_who_pins_late_goes_back_to_what_was_before(tmp_path: Path) -> None:
    mine, theirs = Shelves(tmp_path / "viewer", PLENTY), Shelves(tmp_path / "source", PLENTY)
    world = World(mine, theirs)

    async def scene() -> None:
        await play(world, 100, theirs)
        await world.channel.watch()
        await play(world, 5, mine, theirs)
        await world.channel.watch("180p")
        await play(world, 25, mine, theirs)
        past = await world.channels.tune(f"{NAME}/180p")
        first = past.lines()[0]
        for _ in range(20):
            past.go_back(world.net.now)
            for _ in range(60):
                world.source.run_for(0.05)
                world.viewer.run_for(0.05)
                await asyncio.sleep(0)
            await written(mine, theirs)
        assert past.lines()[0].msn < first.msn - 5
        assert await widths(past) == {320}

    asyncio.run(scene())


def test_when_nobody_can_be_reached_the_past_of_a_pinned_one_is_there(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, PLENTY)
    world = World(shelves)

    async def scene() -> None:
        await world.channel.watch()
        await play(world, 10, shelves)
        await world.channel.watch("90p")
        await play(world, 20, shelves)
        kept = (await world.channels.tune(f"{NAME}/90p")).shelf.lines()
        world.net.kill(world.source.host)
        world.channel.leave()
        await world.channel.watch()
        world.viewer.run_for(20)
        past = await world.channels.tune(f"{NAME}/90p")
        assert past.window is None
        assert past.lines() == kept
        with pytest.raises(Problem):
            await world.channels.tune(f"{NAME}/1080p")

    asyncio.run(scene())


def test_a_name_that_is_none_of_the_stream_makes_no_folder(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, PLENTY)
    world = World(shelves)

    async def scene() -> None:
        await world.channel.watch()
        await play(world, 10, shelves)
        with pytest.raises(Problem, match="no such rendition"):
            await world.channels.tune(f"{NAME}/1080p")

    asyncio.run(scene())
    assert {path.name for path in tmp_path.iterdir()} == {NAME, LOCK}


class Neighbours:
    """They are asked, and lent to."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[int]]] = []
        self.lent: list[bytes | None] = []

    def recall(self, stream: StreamId, rendition: int, numbers: Sequence[int]) -> None:
        self.asked.append((rendition, list(numbers)))

    def lend(self, stream: StreamId, rendition: int, number: int, record: bytes | None) -> None:
        self.lent.append(record)


def pieces(rendition: int, count: int) -> list[Piece]:
    source, found = Broadcaster(), []
    for _ in range(count):
        number, epoch, capture_us, content = source.make()
        record = Record(swarm_tag(STREAM, rendition) + b"%d" % number, pack(content))
        found.append(
            Piece(
                number=number, epoch=epoch, capture_us=capture_us, duration_us=200_000,
                content=content, rendition=rendition, record=record,
            )
        )  # fmt: skip
    return found


async def keep(shelf: Shelf, come: Sequence[Piece], shelves: Shelves) -> None:
    shelf.open(now_us=0)
    window = LiveWindow(keep=shelf.put, before=shelf.last)
    window.set_description(come[0].epoch, Broadcaster().description, come[0].rendition)
    for piece in come:
        window.add(piece)
    await written(shelves)


def test_what_two_shelves_want_of_one_rendition_is_asked_for_together(tmp_path: Path) -> None:
    shelves, neighbours = Shelves(tmp_path, PLENTY), Neighbours()
    archive = Archive(lambda pinned: shelves.shelf(NAME, pinned), STREAM, neighbours)

    async def scene() -> None:
        come = pieces(1, 60)
        chosen, pinned = archive.of(None), archive.of(1)
        await keep(chosen.shelf, come[40:], shelves)
        await keep(pinned.shelf, come[50:], shelves)
        chosen.backfill.go_on(100.0)
        archive.take(come[0], 100.0)
        pinned.backfill.go_on(100.0)
        (first, asked), (second, together) = neighbours.asked
        assert first == second == 1
        assert asked[0] == come[39].number
        assert together[0] == come[49].number
        assert set(asked) - {come[0].number} <= set(together), "what was asked for before is wanted still"
        assert come[0].number not in together, "what has come is not asked for again"
        assert come[0].number in asked
        for piece in come[40:50]:
            archive.take(piece, 101.0)
        assert pinned.shelf.lines()[0].msn == chosen.shelf.lines()[0].msn

    asyncio.run(scene())


def test_pieces_of_another_rendition_are_neither_taken_nor_lent(tmp_path: Path) -> None:
    shelves, neighbours = Shelves(tmp_path, PLENTY), Neighbours()
    archive = Archive(lambda pinned: shelves.shelf(NAME, pinned), STREAM, neighbours)

    async def scene() -> None:
        low, high = pieces(0, 30), pieces(1, 30)
        await keep(archive.of(None).shelf, high[20:], shelves)
        archive.of(None).backfill.go_on(100.0)
        first = archive.of(None).shelf.lines()[0]
        for piece in low[10:20]:
            archive.gone(0, piece.number, 100.0)
            archive.take(piece, 100.0)
        assert archive.of(None).shelf.lines()[0] == first
        for piece in high[10:20]:
            archive.take(piece, 100.0)
        assert archive.of(None).shelf.lines()[0].msn == first.msn - 2
        for rendition, wanted in ((1, high[20]), (0, low[20])):
            neighbours.lent.clear()
            archive.lend_soon(rendition, wanted.number)
            for _ in range(200):
                await asyncio.wrap_future(shelves.pool.submit(lambda: None))
                await asyncio.sleep(0)
            assert wanted.record is not None
            assert neighbours.lent == [wanted.record.data if rendition else None]

    asyncio.run(scene())


def test_a_piece_is_lent_from_the_shelf_that_has_it(tmp_path: Path) -> None:
    shelves, neighbours = Shelves(tmp_path, PLENTY), Neighbours()
    archive = Archive(lambda pinned: shelves.shelf(NAME, pinned), STREAM, neighbours)

    async def scene() -> None:
        low, high = pieces(0, 20), pieces(1, 20)
        await keep(archive.of(None).shelf, high, shelves)
        await keep(archive.of(0).shelf, low, shelves)
        for rendition, source in ((0, low), (1, high)):
            archive.lend_soon(rendition, source[7].number)
        for _ in range(200):
            await asyncio.wrap_future(shelves.pool.submit(lambda: None))
            await asyncio.sleep(0)
        records = [source[7].record for source in (low, high)]
        assert sorted(filter(None, neighbours.lent)) == sorted(record.data for record in records if record)

    asyncio.run(scene())


def test_without_a_shelf_a_pinned_rendition_has_no_past() -> None:
    world = World()

    async def scene() -> None:
        await world.channel.watch()
        world.play(10)
        with pytest.raises(Problem, match="keeps nothing"):
            await world.channels.tune(f"{NAME}/90p")

    asyncio.run(scene())
