"""What is fetched from before a shelf's first segment: whole segments in order, an end to it, and nothing made up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from gateway.live import LiveWindow
from gateway.live.order import Piece
from gateway.media.payload import Record, pack
from gateway.timeshift.backfill import PATIENCE_S, STRETCH, Backfill
from gateway.timeshift.shelf import Limits, Shelf
from tests.gateway.synthetic import PIECES_A_SEGMENT, Broadcaster

PLENTY = Limits(1e12, 1 << 30)
SEGMENTS = 12
KEPT = 2
"""Of these, so many are on the shelf already."""


def all_pieces() -> list[Piece]:
    broadcaster = Broadcaster()
    pieces = []
    for _ in range(SEGMENTS * PIECES_A_SEGMENT):
        number, epoch, capture_us, content = broadcaster.make()
        record = Record(b"signed %d" % number, pack(content))
        pieces.append(
            Piece(
                number=number, epoch=epoch, capture_us=capture_us, duration_us=200_000, content=content, record=record
            )
        )
    return pieces


class Scene:
    """A shelf with the newest segments, and a swarm that is asked for pieces."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1)
        self.shelf = Shelf(folder, limits, self.pool)
        self.shelf.open(now_us=0)
        self.pieces = {piece.number: piece for piece in all_pieces()}
        self.asked: list[list[int]] = []
        self.backfill = Backfill(self.shelf, self._ask)
        self.now = 100.0

    def _ask(self, rendition: int, numbers: Sequence[int]) -> None:
        assert rendition == 0
        self.asked.append(list(numbers))

    async def keep(self) -> None:
        """The newest segments go on the shelf, as from a live window."""
        from_number = max(self.pieces) + 1 - (KEPT + 1) * PIECES_A_SEGMENT
        window = live_window(self.shelf)
        for number in range(from_number, max(self.pieces) + 1):
            window.add(self.pieces[number])
        await self.written()

    async def written(self) -> None:
        for _ in range(20):
            await asyncio.get_running_loop().run_in_executor(self.pool, lambda: None)
            await asyncio.sleep(0)

    def msns(self) -> list[int]:
        return [line.msn for line in self.shelf.lines()]

    def go_on(self) -> None:
        self.backfill.go_on(self.now)

    def give(self, *numbers: int) -> None:
        for number in numbers:
            self.backfill.take(self.pieces[number], self.now)


def live_window(shelf: Shelf) -> LiveWindow:
    broadcaster = Broadcaster()
    window = LiveWindow(keep=shelf.put)
    window.set_description(broadcaster.epoch, broadcaster.description)
    return window


def play(tmp_path: Path, act: Callable[[Scene], Awaitable[None]], limits: Limits = PLENTY) -> None:
    async def main() -> None:
        scene = Scene(tmp_path, limits)
        await scene.keep()
        await act(scene)
        scene.pool.shutdown()

    asyncio.run(main())


def test_segments_are_put_before_the_first_one_as_soon_as_they_are_whole(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        kept = scene.msns()
        scene.go_on()
        (numbers,) = scene.asked
        assert numbers == sorted(numbers, reverse=True)
        assert len(numbers) == STRETCH
        scene.give(*numbers[1:PIECES_A_SEGMENT])
        assert scene.msns() == kept
        scene.give(numbers[0])
        assert scene.msns() == [kept[0] - 1, *kept]
        scene.give(*(n for n in numbers[PIECES_A_SEGMENT:] if n in scene.pieces))
        await scene.written()
        assert scene.msns() == list(range(5000, kept[-1] + 1))
        segment = await scene.shelf.segment(5000)
        assert segment is not None
        assert [slot.number for slot in segment.slots] == [1000, 1001, 1002, 1003, 1004]
        assert await scene.shelf.record(1003, b"signed") == b"signed 1003" + pack(scene.pieces[1003].content)
        assert await scene.shelf.record(1003, b"other") is None
        assert await scene.shelf.record(999, b"") is None

    play(tmp_path, act)


def test_a_shelf_that_is_opened_again_still_lends_what_was_fetched(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        scene.go_on()
        scene.give(*(n for n in scene.asked[0] if n in scene.pieces))
        await scene.written()
        again = Shelf(tmp_path, PLENTY, scene.pool)
        again.open(now_us=0)
        assert [line.msn for line in again.lines()] == scene.msns()
        assert await again.record(1001, b"signed") == b"signed 1001" + pack(scene.pieces[1001].content)

    play(tmp_path, act)


def test_what_nobody_has_is_its_end_until_patience_is_over(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        kept = scene.msns()
        scene.go_on()
        numbers = scene.asked[0]
        scene.backfill.gone(0, numbers[PIECES_A_SEGMENT + 1], scene.now)
        assert scene.asked[1] == numbers[: PIECES_A_SEGMENT + 1]
        scene.give(*scene.asked[1])
        assert scene.msns() == [kept[0] - 1, *kept]
        assert await scene.backfill.wait(5)
        scene.now += PATIENCE_S + 1
        scene.go_on()
        assert scene.asked[2][0] == numbers[PIECES_A_SEGMENT + 1]

    play(tmp_path, act)


def test_what_has_not_come_in_time_is_asked_for_again_with_the_next_stretch(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        kept = scene.msns()
        scene.go_on()
        late, *numbers = scene.asked[0]
        scene.give(*(number for number in numbers if number in scene.pieces))
        assert scene.msns() == kept
        scene.now += PATIENCE_S + 1
        scene.go_on()
        assert scene.asked[1][0] == late
        assert not set(scene.asked[1]) & {number for number in numbers if number in scene.pieces}
        scene.give(late)
        assert scene.msns() == list(range(5000, kept[-1] + 1))

    play(tmp_path, act)


def test_nothing_is_asked_for_twice_or_beyond_what_there_is_room_for(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(3):
            scene.go_on()
        assert len(scene.asked) == 1

    async def full(scene: Scene) -> None:
        scene.go_on()
        assert scene.asked == []

    play(tmp_path / "room", act)
    play(tmp_path / "full", full, Limits(2.0, 1 << 30))


def test_pieces_that_make_no_segment_end_it(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        kept = scene.msns()
        scene.go_on()
        numbers = scene.asked[0]
        wrong = scene.pieces[numbers[2]]
        scene.pieces[wrong.number] = replace(wrong, content=replace(wrong.content, segment=wrong.content.segment + 7))
        scene.give(*numbers[:PIECES_A_SEGMENT])
        assert scene.msns() == kept
        scene.go_on()
        assert scene.asked[1:] == [[]]

    play(tmp_path, act)


def test_without_a_shelf_that_holds_anything_there_is_nothing_to_ask_for(tmp_path: Path) -> None:
    async def main() -> None:
        scene = Scene(tmp_path, PLENTY)
        scene.go_on()
        assert await scene.backfill.wait(5)
        assert scene.asked == []

    asyncio.run(main())
