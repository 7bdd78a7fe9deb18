"""The push that waits: what it keeps, and its takeover."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import KeyBusy
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.standby import Cue
from tests.gateway.ingest.streams import Listener


@pytest.mark.parametrize("size", [100, 188, 5000])
def test_a_transport_stream_begins_at_its_newest_key_frame(films: Path, size: int) -> None:
    data = (films / "film.ts").read_bytes()
    cue = Cue()
    for at in range(0, len(data), size):
        assert cue.feed(data[at : at + size])
    assert cue.ready
    # Three seconds with a key frame each: the tables, then the last third.
    assert cue.replay[188 * 2 :] == data[-len(cue.replay) + 188 * 2 :]
    assert len(cue.replay) < len(data) / 2


def test_what_is_no_stream_that_can_wait_is_told_apart() -> None:
    assert Cue().feed(b"FLV")
    assert not Cue().feed(b"\0\0\0\x1cftypiso5")


async def live(data: bytes, go: asyncio.Event) -> AsyncIterator[bytes]:
    yield data[: len(data) // 2]
    await go.wait()
    for at in range(len(data) // 2, len(data), 20_000):
        await asyncio.sleep(0.02)
        yield data[at : at + 20_000]


def test_a_push_takes_over_when_the_first_falls_silent(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        keys, listener = IngestKeys(), Listener()
        key = keys.add("studio").key
        desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
        data = (films / "film.ts").read_bytes()
        never, now = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(desk.receive(key, live(data, never)))
        await listener.until_pieces(1)
        second = asyncio.create_task(desk.receive(key, live(data, now)))
        await asyncio.wait((first,), timeout=20)
        with pytest.raises(Exception, match="No data came"):
            first.result()
        with pytest.raises(KeyBusy):
            await desk.receive(key, live(data, now))
        now.set()
        assert (await second).pieces > 0
        assert len({piece.epoch for piece in listener.pieces}) == 2
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        desk.close()

    asyncio.run(run())
