"""Following the window: from the newest key frame, in order, never too far behind."""

import asyncio

import pytest

from gateway.live import LiveWindow, feed
from gateway.live.feed import follow
from gateway.live.segments import Segment
from tests.gateway import media_fixture
from tests.gateway.media_fixture import live, slices, stream

Places = list[tuple[int, int]]


def opened(*numbers: int, seconds: float = 8) -> LiveWindow:
    window = LiveWindow()
    window.set_description(7, stream(seconds=seconds).description)
    put(window, *numbers, seconds=seconds)
    return window


def put(window: LiveWindow, *numbers: int, seconds: float = 8) -> None:
    media_fixture.feed(window, slices(stream(seconds=seconds)), numbers=numbers)


async def rest(window: LiveWindow) -> Places:
    return [place(*found) async for found in follow(window)]


def place(segment: Segment, index: int) -> tuple[int, int]:
    return segment.msn, index


def test_a_reader_begins_at_the_newest_key_frame_and_ends_with_the_broadcast() -> None:
    window = live(4)
    window.end()
    assert asyncio.run(rest(window)) == [(103, index) for index in range(5)]


def test_slots_are_given_as_they_arrive() -> None:
    async def main() -> None:
        window = opened(1000, 1001)
        reader = follow(window)
        assert [place(*await anext(reader)) for _ in range(2)] == [(100, 0), (100, 1)]
        following = asyncio.ensure_future(anext(reader))
        for number in range(1002, 1006):
            await asyncio.sleep(0)
            assert not following.done()
            put(window, number)
            assert place(*await following) == (100 + (number - 1000) // 5, (number - 1000) % 5)
            following = asyncio.ensure_future(anext(reader))
        window.close()
        with pytest.raises(StopAsyncIteration):
            await following

    asyncio.run(main())


@pytest.mark.parametrize(
    ("here", "begins"),
    [([1000], (100, 0)), ([1000, 1001], (101, 0)), ([1000, 1001, 1002, 1003, 1004, 1005], (101, 0))],
)
def test_a_reader_begins_at_the_next_key_frame_when_that_is_near(here: list[int], begins: tuple[int, int]) -> None:
    async def main() -> tuple[int, int]:
        window = opened(*here)
        beginning = asyncio.ensure_future(anext(follow(window)))
        await asyncio.sleep(0)
        assert beginning.done() == (len(here) != 2)
        put(window, *range(here[-1] + 1, 1006))
        return place(*await beginning)

    assert asyncio.run(main()) == begins


def test_a_key_frame_that_does_not_come_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    window = opened(1000, 1001, 1002, 1003)
    monkeypatch.setattr(feed, "START_WAIT_S_MAX", 0.21)

    async def main() -> tuple[int, int]:
        return place(*await anext(follow(window)))

    assert asyncio.run(main()) == (100, 0)


def test_lost_pieces_are_left_out() -> None:
    async def main() -> None:
        window = opened(1000)
        reading = asyncio.create_task(rest(window))
        await asyncio.sleep(0)
        put(window, 1001, 1004, 1005)
        window.lose_piece(1002)
        window.lose_piece(1003)
        await asyncio.sleep(0)
        window.end()
        assert await reading == [(100, 0), (100, 1), (100, 4), (101, 0)]

    asyncio.run(main())


def test_a_key_frame_that_was_lost_is_no_place_to_begin() -> None:
    window = opened(1000, 1001, 1002, 1003, 1004, 1006, 1007)
    window.lose_piece(1005)
    window.end()
    assert asyncio.run(rest(window)) == [*((100, index) for index in range(5)), (101, 1), (101, 2)]


def test_a_reader_that_lags_goes_on_at_the_newest_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LAG_S_MAX", 2.5)

    async def main() -> None:
        window = opened(1000)
        reader = follow(window)
        assert place(*await anext(reader)) == (100, 0)
        put(window, *range(1001, 1015))
        assert place(*await anext(reader)) == (100, 1)
        put(window, *range(1015, 1028))
        assert place(*await anext(reader)) == (105, 0)

    asyncio.run(main())


def test_a_reader_whose_segment_has_gone_goes_on_too() -> None:
    async def main() -> None:
        window = LiveWindow(1.0)
        window.set_description(7, stream(seconds=20).description)
        put(window, 1000, seconds=20)
        reader = follow(window)
        await anext(reader)
        put(window, *range(1001, 1100), seconds=20)
        assert window.find(100) is None
        assert place(*await anext(reader)) == (119, 0)

    asyncio.run(main())


def test_a_stream_that_falls_silent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SILENCE_S_MAX", 0.01)
    assert asyncio.run(rest(opened(1000))) == [(100, 0)]


def test_an_empty_window_gives_nothing() -> None:
    assert asyncio.run(rest(LiveWindow())) == []
