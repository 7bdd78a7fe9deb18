"""Reading a segment while it grows: nothing is held for those who stop."""

import asyncio
import gc

from gateway.live import LiveWindow
from gateway.live.growing import grow
from gateway.live.segments import Segment
from tests.gateway.synthetic import Broadcaster, give

STUCK = 200


def begin() -> tuple[LiveWindow, Broadcaster]:
    source, window = Broadcaster(), LiveWindow(24.0)
    window.set_description(1, source.description)
    return window, source


def play(window: LiveWindow, source: Broadcaster, pieces: int) -> None:
    for _ in range(pieces):
        give(window, source.make())


def test_a_reader_gets_all_parts_of_all_tracks() -> None:
    async def main() -> None:
        window, source = begin()
        play(window, source, 7)
        for track in (None, 1, 2):
            reader = grow(window, 5000, track)
            assert b"".join([part async for part in reader]) == b"".join(window.segment(5000, track))

    asyncio.run(main())


def test_two_hundred_readers_that_stop_keep_no_segment_alive() -> None:
    async def main() -> None:
        of_others = segments_alive()
        window, source = begin()
        readers = []
        for _ in range(STUCK):
            play(window, source, 5)
            readers.append(grow(window, source.segment - 1, None))
            assert await anext(readers[-1])
        play(window, source, 300)
        alive = segments_alive()
        assert alive.keys() - of_others.keys() == {id(segment) for segment in window.kept()}
        # Those whose segment is gone end; nobody waits for ever.
        assert [part async for part in readers[0]] == []

    asyncio.run(main())


def test_the_end_of_the_broadcast_lets_readers_go() -> None:
    async def main() -> None:
        window, source = begin()
        play(window, source, 7)
        reading = asyncio.create_task(collect(window, 5001))
        await asyncio.sleep(0)
        window.end()
        assert len(await reading) == 2

    asyncio.run(main())


def segments_alive() -> dict[int, Segment]:
    gc.collect()
    return {id(found): found for found in gc.get_objects() if isinstance(found, Segment)}


async def collect(window: LiveWindow, msn: int) -> list[bytes]:
    return [part async for part in grow(window, msn, 1)]
