"""Who waits is woken when the place is reached, and by nothing else."""

import asyncio

import pytest

from gateway.live import waiting
from gateway.live.waiting import Waiters

LONG_S = 60.0


async def started(waiters: Waiters, *places: tuple[int, int]) -> list[asyncio.Task[bool]]:
    """Tasks that wait for these places, each of them waiting already."""
    tasks = [asyncio.create_task(waiters.wait(place, LONG_S)) for place in places]
    await asyncio.sleep(0)
    assert len(waiters) == len(places)
    return tasks


def test_only_those_whose_place_is_there_are_woken() -> None:
    async def main() -> None:
        waiters = Waiters()
        first, second, third = await started(waiters, (5, 1), (5, 2), (6, 0))
        waiters.reach((5, 2))
        assert await first
        assert await second
        assert not third.done()
        waiters.reach((7, 0))
        assert await third
        assert len(waiters) == 0

    asyncio.run(main())


def test_time_runs_out() -> None:
    async def main() -> None:
        waiters = Waiters()
        assert not await waiters.wait((1, 0), 0.0)
        assert len(waiters) == 0

    asyncio.run(main())


def test_all_are_let_go_when_nothing_more_comes() -> None:
    async def main() -> None:
        waiters = Waiters()
        tasks = await started(waiters, (1, 0), (2, 0))
        waiters.give_up()
        waiters.reach((9, 9))
        assert await asyncio.gather(*tasks) == [False, False]

    asyncio.run(main())


def test_a_request_that_went_away_waits_no_longer() -> None:
    async def main() -> None:
        waiters = Waiters()
        (task,) = await started(waiters, (1, 0))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(waiters) == 0
        waiters.reach((1, 0))

    asyncio.run(main())


def test_too_many_are_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAITERS_MAX", 2)

    async def main() -> None:
        waiters = Waiters()
        tasks = await started(waiters, (1, 0), (1, 0))
        assert not await waiters.wait((1, 0), LONG_S)
        waiters.reach((1, 0))
        assert await asyncio.gather(*tasks) == [True, True]

    asyncio.run(main())
