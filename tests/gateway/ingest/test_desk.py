"""The desk that takes pushes: keys, and streams that outlive their pushes."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import ExpiredKey, KeyBusy, NotTransportStream, UnknownKey
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys, KeyEntry
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.streams import Listener


async def body(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def end_of(listener: Listener) -> None:
    await listener.until(lambda: listener.ends == 1)


class Desk:
    """A desk with one key, and the listeners that it put on air."""

    def __init__(self, tool: Ffmpeg, *, linger_s: float = 30.0, slate: bool = False) -> None:
        self.keys = IngestKeys()
        self.entry = self.keys.add("studio", title="News")
        self.on_air: list[tuple[KeyEntry, Listener]] = []
        self.desk = IngestDesk(self.keys, self._begin, ffmpeg=tool, linger_s=linger_s, slate=slate)

    def _begin(self, entry: KeyEntry) -> Listener:
        listener = Listener()
        self.on_air.append((entry, listener))
        return listener


def test_a_push_goes_on_air_under_its_key(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        desk = Desk(tool)
        data = (films / "film.ts").read_bytes()
        report = await desk.desk.receive(desk.entry.key, body(data))
        ((entry, listener),) = desk.on_air
        assert entry == desk.entry
        assert (report.size_bytes, report.pieces) == (len(data), len(listener.pieces))
        assert listener.ends == 0
        desk.desk.close()
        assert listener.ends == 1

    asyncio.run(run())


def test_a_second_push_goes_on_where_the_first_ended(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        desk = Desk(tool)
        for _ in range(2):
            await desk.desk.receive(desk.entry.key, body((films / "film.ts").read_bytes()))
        ((_, listener),) = desk.on_air
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert [epoch for epoch, _ in listener.descriptions] == sorted({piece.epoch for piece in listener.pieces})
        assert len(listener.descriptions) == 2
        discontinuities = [content.discontinuity for content in listener.contents]
        assert set(discontinuities) == {discontinuities[0], discontinuities[0] + 1}
        desk.desk.close()

    asyncio.run(run())


def test_a_stream_ends_when_nobody_comes_back_and_its_numbers_go_on_later(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        desk = Desk(tool, linger_s=0.01)
        for count in (1, 2):
            await desk.desk.receive(desk.entry.key, body((films / "film.ts").read_bytes()))
            listener = desk.on_air[-1][1]
            await end_of(listener)
            assert len(desk.on_air) == count
        first, second = (listener.pieces for _, listener in desk.on_air)
        assert second[0].number == first[-1].number + 1
        assert second[0].epoch > first[-1].epoch

    asyncio.run(run())


def test_a_push_that_is_refused_puts_nothing_on_air(tool: Ffmpeg) -> None:
    async def run() -> None:
        desk = Desk(tool)
        with pytest.raises(NotTransportStream):
            await desk.desk.receive(desk.entry.key, body(bytes(10_000)))
        assert desk.on_air == []

    asyncio.run(run())


def test_keys_are_checked_before_anything_is_read(tool: Ffmpeg) -> None:
    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""  # type: ignore[unreachable]  # or it would be no generator

    async def run() -> None:
        desk = Desk(tool)
        old = desk.keys.add("old", expires=datetime.now(UTC) - timedelta(days=1))
        with pytest.raises(UnknownKey):
            await desk.desk.receive("0" * 32, unread())
        with pytest.raises(ExpiredKey):
            await desk.desk.receive(old.key, unread())

    asyncio.run(run())


def test_the_bitrate_is_what_comes_in_or_what_is_configured(tool: Ffmpeg, films: Path) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        data = (films / "film.ts").read_bytes()
        yield data[:100_000]
        await asyncio.sleep(0.4)
        yield data[100_000:]

    async def run() -> None:
        desk = Desk(tool)
        configured = desk.desk.bitrate_bps(desk.entry)
        assert configured == 2_628_000
        await desk.desk.receive(desk.entry.key, slowly())
        assert desk.desk.bitrate_bps(desk.entry) not in (0, configured)
        desk.desk.close()

    asyncio.run(run())


def test_a_key_is_used_by_one_sender_at_a_time(tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.desk.TAKE_OVER_S", 0.05)
    release = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield (films / "film.ts").read_bytes()
        await release.wait()

    async def run() -> None:
        desk = Desk(tool)
        first = asyncio.create_task(desk.desk.receive(desk.entry.key, held()))
        while not desk.on_air:  # noqa: ASYNC110 - the sink to wait on does not exist before
            await asyncio.sleep(0.01)
        with pytest.raises(KeyBusy):
            await desk.desk.receive(desk.entry.key, body(b""))
        release.set()
        assert (await first).pieces > 0
        desk.desk.close()

    asyncio.run(run())


def test_a_crash_is_told_until_the_next_ffmpeg_gives_something(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        keys, listener = IngestKeys(), Listener()
        key, film = keys.add("studio").key, (films / "film.ts").read_bytes()
        desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)

        async def crashing() -> AsyncIterator[bytes]:
            yield film[: len(film) // 2]
            await listener.until_pieces(1)
            (pid,) = running_ffmpegs()
            os.kill(pid, signal.SIGSEGV)
            while not desk.pushes()[0].restarts:
                await asyncio.sleep(0.01)
                yield film[:188]
            (status,) = desk.pushes()
            assert (status.on_air, status.restarts) == (False, 1)
            assert "ffmpeg crashed (SIGSEGV)" in status.trouble
            yield film[len(film) // 2 :]
            await listener.until(lambda: len({piece.epoch for piece in listener.pieces}) == 2)
            (status,) = desk.pushes()
            assert (status.on_air, status.restarts, status.trouble) == (True, 1, "")

        await desk.receive(key, crashing())
        desk.close()

    asyncio.run(run())


@pytest.mark.e2e
@pytest.mark.alongside
def test_twenty_pushers_that_are_killed_and_come_back_make_one_stream(tool: Ffmpeg, films: Path) -> None:
    """Each breaks off in the middle, and begins with its clock at 0."""
    film = (films / "film.ts").read_bytes()

    async def broken_off(listener: Listener) -> AsyncIterator[bytes]:
        epochs = len(listener.descriptions)
        yield film[: len(film) // 3]
        await listener.until(lambda: len(listener.descriptions) > epochs)
        yield film[len(film) // 3 : len(film) // 3 + 999]  # and no whole packet at the end

    async def run() -> None:
        keys, listener = IngestKeys(), Listener()
        entry = keys.add("studio")
        desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
        for _ in range(20):
            await desk.receive(entry.key, broken_off(listener))
            assert running_ffmpegs() == set()
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        epochs = [epoch for epoch, _ in listener.descriptions]
        assert len(set(epochs)) == 20
        assert epochs == sorted(epochs)
        segments = [content.segment for content in listener.contents]
        assert segments == sorted(segments)
        assert {content.discontinuity for content in listener.contents} == set(range(20))
        assert listener.ends == 0
        desk.close()
        assert listener.ends == 1

    asyncio.run(run())


def test_a_slate_is_shown_until_somebody_pushes_again(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        desk = Desk(tool, slate=True)
        film = (films / "film.ts").read_bytes()
        await desk.desk.receive(desk.entry.key, body(film))
        ((_, listener),) = desk.on_air
        pushed = len(listener.pieces)
        await listener.until_pieces(pushed + 8)
        await desk.desk.receive(desk.entry.key, body(film))
        epochs = [epoch for epoch, _ in listener.descriptions]
        assert len(set(epochs)) == 3
        assert epochs == sorted(epochs)
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        discontinuities = sorted({content.discontinuity for content in listener.contents})
        assert discontinuities == list(range(discontinuities[0], discontinuities[0] + 3))
        await desk.desk.take_slates_down()
        desk.desk.close()
        assert listener.ends == 1

    asyncio.run(run())


def test_a_slate_ends_when_its_key_is_taken_back(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        desk = Desk(tool, slate=True)
        await desk.desk.receive(desk.entry.key, body((films / "film.ts").read_bytes()))
        ((_, listener),) = desk.on_air
        await listener.until_pieces(len(listener.pieces) + 1)
        desk.keys.remove("studio")
        await listener.until(lambda: listener.ends == 1)
        await desk.desk.take_slates_down()

    asyncio.run(run())


@pytest.mark.parametrize("keys", [0, 1])
def test_ffmpeg_is_found_before_the_first_push_where_there_is_a_key(
    tool: Ffmpeg, monkeypatch: pytest.MonkeyPatch, keys: int
) -> None:
    searches = []

    def find() -> Ffmpeg:
        searches.append(1)
        return tool

    monkeypatch.setattr("gateway.ingest.desk.find_ffmpeg", find)

    async def run() -> None:
        entries = IngestKeys()
        for number in range(keys):
            entries.add(f"key {number}")
        desk = IngestDesk(entries, lambda _: Listener())
        await desk.prepare()
        assert len(searches) == keys
        await asyncio.gather(desk.ffmpeg(), desk.ffmpeg())
        assert len(searches) == 1

    asyncio.run(run())
