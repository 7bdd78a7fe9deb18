"""The push that waits: what it keeps, and its takeover."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import KeyBusy, NotTransportStream
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.standby import Cue
from gateway.ingest.transport_stream import PACKET_BYTES, PAT_PID, pid_of, streams_of
from gateway.media.boxes import make_box
from gateway.media.errors import MediaError
from tests.gateway.ingest.streams import Listener, hashes


@pytest.mark.parametrize("size", [100, 188, 5000])
def test_a_transport_stream_begins_at_its_newest_key_frame(films: Path, size: int) -> None:
    data = (films / "film.ts").read_bytes()
    cue = Cue()
    for at in range(0, len(data), size):
        cue.feed(data[at : at + size])
    assert cue.ready
    # Three seconds with a key frame each: the tables, then the last third.
    assert cue.replay[188 * 2 :] == data[-len(cue.replay) + 188 * 2 :]
    assert len(cue.replay) < len(data) / 2


def test_a_map_is_known_by_where_the_association_says_that_it_is(films: Path) -> None:
    data = (films / "film.ts").read_bytes()
    packets = [data[at : at + PACKET_BYTES] for at in range(0, len(data), PACKET_BYTES)]
    between = next(packet for packet in packets if packet[1] & 0x40 and pid_of(packet) == 0x101)
    cue = Cue()
    for packet in packets:
        cue.feed(packet + between * (pid_of(packet) == PAT_PID))
    assert streams_of(cue.replay[PACKET_BYTES : 2 * PACKET_BYTES]) is not None


@pytest.mark.parametrize("name", ["film.ts", "film.flv", "film.cmaf.mp4"])
@given(cuts=st.lists(st.integers(50, 60_000), min_size=1, max_size=20))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_begun_with_does_not_depend_on_how_the_bytes_are_cut(films: Path, name: str, cuts: list[int]) -> None:
    data = (films / name).read_bytes()
    whole, cut, at = Cue(), Cue(), 0
    whole.feed(data)
    for size in itertools.cycle(cuts):
        cut.feed(data[at : at + size])
        at += size
        if at >= len(data):
            break
    assert cut.ready
    assert cut.replay == whole.replay
    assert len(cut.replay) < len(data) / 2


@pytest.mark.parametrize("name", ["film.ts", "film.flv", "film.cmaf.mp4"])
def test_a_push_can_be_begun_at_its_newest_key_frame(tool: Ffmpeg, films: Path, tmp_path: Path, name: str) -> None:
    data = (films / name).read_bytes()
    cue = Cue()
    cue.feed(data)
    begun = tmp_path / name
    begun.write_bytes(cue.replay)
    assert hashes(tool, str(begun)) == hashes(tool, str(films / "film.mp4"))[-25:]


def test_a_cue_that_rests_keeps_only_what_a_start_needs(films: Path) -> None:
    cue = Cue(keeping=False)
    data = (films / "film.cmaf.mp4").read_bytes()
    cue.feed(data[: len(data) // 2])
    assert not cue.ready
    assert len(cue.replay) < len(data) / 10
    cue.keep()
    cue.feed(data[len(data) // 2 :])
    assert cue.ready


def test_what_is_no_stream_that_can_wait_is_told_apart() -> None:
    Cue().feed(b"FLV")
    Cue().feed(b"\0\0\0\x1cftypiso5")
    with pytest.raises(NotTransportStream):
        Cue().feed(bytes(1000))
    with pytest.raises(MediaError):
        Cue().feed(b"\xff\xff\xff\xffftyp" + bytes(100))
    with pytest.raises(MediaError, match="moov first"):
        Cue().feed(b"\0\0\0\x08ftyp" + make_box(b"free", bytes(700_000)) * 3)


async def live(data: bytes, go: asyncio.Event) -> AsyncIterator[bytes]:
    yield data[: len(data) // 2]
    await go.wait()
    for at in range(len(data) // 2, len(data), 20_000):
        await asyncio.sleep(0.02)
        yield data[at : at + 20_000]


@pytest.mark.parametrize("name", ["film.ts", "film.flv", "film.cmaf.mp4"])
def test_a_push_takes_over_when_the_first_falls_silent(tool: Ffmpeg, films: Path, name: str) -> None:
    async def run() -> None:
        keys, listener = IngestKeys(), Listener()
        key = keys.add("studio").key
        desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
        data = (films / name).read_bytes()
        never, now = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(desk.receive(key, live(data, never)))
        await listener.until_pieces(1)
        second = asyncio.create_task(desk.receive(key, live(data, now)))
        await asyncio.wait((first,), timeout=20)
        with pytest.raises(Exception, match="No data came"):
            first.result()
        now.set()
        assert (await second).pieces > 0
        assert len({piece.epoch for piece in listener.pieces}) == 2
        numbers = [piece.number for piece in listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        desk.close()

    asyncio.run(run())


def test_a_third_push_is_refused(tool: Ffmpeg, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.desk.TAKE_OVER_S", 0.05)
    film, over = (films / "film.ts").read_bytes(), asyncio.Event()

    async def steady() -> AsyncIterator[bytes]:
        yield film
        while not over.is_set():
            await asyncio.sleep(0.02)
            yield b"\x47\x1f\xff\x10".ljust(188, b"\xff")

    async def run() -> None:
        keys, listener = IngestKeys(), Listener()
        key = keys.add("studio").key
        desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
        first = asyncio.create_task(desk.receive(key, steady()))
        await listener.until_pieces(1)
        second = asyncio.create_task(desk.receive(key, steady()))
        await asyncio.sleep(0)
        with pytest.raises(KeyBusy):
            await desk.receive(key, steady())
        over.set()
        await asyncio.gather(first, second, return_exceptions=True)
        desk.close()

    asyncio.run(run())
