"""Bad pushes: refused with a reason, within bounds, without an ffmpeg left, and a good one beside them goes on."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from gateway.ingest import amf, flv
from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import KeyFileBroken, PushRefused, PushSilent, PushUnusable, UnknownKey
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys, KeyEntry
from gateway.ingest.rtmp_chunks import SET_CHUNK_SIZE, ChunkReader, write_message
from gateway.ingest.track_merge import TRACKS_MAX
from gateway.ingest.uploads import Uploads
from gateway.media.boxes import make_box
from gateway.media.errors import MediaError
from tests.gateway.ingest.conftest import running_ffmpegs
from tests.gateway.ingest.streams import Listener

CHUNK_BYTES = 1 << 16
READ_BYTES_MAX = 5 << 20
"""No refusal takes more of an endless body."""


class Desk:
    """Two keys: with ``good`` a film is on air, with ``bad`` anything may come."""

    def __init__(self, tool: Ffmpeg) -> None:
        self.keys = IngestKeys()
        self.good, self.bad = self.keys.add("good"), self.keys.add("bad")
        self.listeners: dict[str, Listener] = {"good": Listener(), "bad": Listener()}
        self.desk = IngestDesk(self.keys, self._on_air, ffmpeg=tool, idle_s=20.0)
        self.uploads = Uploads(self.desk)
        self.read_bytes = 0

    def _on_air(self, entry: KeyEntry) -> Listener:
        return self.listeners[entry.name]

    async def body(self, chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
        for chunk in chunks:
            await asyncio.sleep(0)
            self.read_bytes += len(chunk)
            yield chunk

    async def push(self, chunks: Iterable[bytes]) -> Listener:
        await self.desk.receive(self.bad.key, self.body(chunks))
        return self.listeners["bad"]

    async def beside_a_good_one(self, film: bytes, bad: Iterable[bytes]) -> None:
        """Raises what the bad push is refused for, once it is sure that the good one was not touched."""
        refused = asyncio.Event()

        async def held() -> AsyncIterator[bytes]:
            yield film[: len(film) // 2]
            await refused.wait()
            yield film[len(film) // 2 :]

        good = asyncio.create_task(self.desk.receive(self.good.key, held()))
        await self.listeners["good"].until_pieces(1)
        try:
            await self.push(bad)
        finally:
            assert len(running_ffmpegs()) == 1
            refused.set()
            await good
            assert sum(piece.duration_us for piece in self.listeners["good"].pieces) >= 2_900_000
            assert len({piece.epoch for piece in self.listeners["good"].pieces}) == 1
            self.desk.close()


def cut(data: bytes, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def packet(pid: int, payload: bytes, *, start: bool = False) -> bytes:
    return bytes([0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF, 0x10]) + payload.ljust(184, b"\xff")[:184]


FTYP = make_box(b"ftyp", b"iso5\0\0\0\0")
PAT = packet(0, b"\0\0\xb0\x0d\0\1\xc1\0\0\0\1\xf0\0\0\0\0\0", start=True)
LONG_SECTION = packet(0x1000, b"\0\2\xbf\xff", start=True)
ENDLESS = {
    "nothing but letters": (b"", b"garbage!" * 8192),
    "zeros": (b"", bytes(CHUNK_BYTES)),
    "a head of boxes without end": (FTYP, make_box(b"free", bytes(60_000))),
    "a box of size 0": (FTYP + b"\0\0\0\0moov", bytes(CHUNK_BYTES)),
    "a box that claims to be smaller than its header": (FTYP + b"\0\0\0\4moov", bytes(CHUNK_BYTES)),
    "a moov of four gigabytes": (FTYP + b"\xff\xff\xff\xf0moov", bytes(CHUNK_BYTES)),
    "a moov of 2^63 bytes": (FTYP + b"\0\0\0\1moov" + (1 << 63).to_bytes(8), bytes(CHUNK_BYTES)),
    "a moof before the moov": (FTYP + make_box(b"moof", bytes(100)), bytes(CHUNK_BYTES)),
    "tags of script without end": (flv.HEADER, flv.write_tag(flv.SCRIPT, 0, amf.write_values(["x" * 50_000]))),
    "a tag of 16 megabytes": (flv.HEADER + b"\x09\xff\xff\xff" + bytes(7), bytes(CHUNK_BYTES)),
    "a tag of an unknown kind": (flv.HEADER + b"\x15\0\0\1" + bytes(8), bytes(CHUNK_BYTES)),
    "packets without tables": (b"", packet(0x1FFF, b"") * 300),
    "tables that never end": (PAT + LONG_SECTION, packet(0x1001, b"") * 300),
    "a programme whose map does not come": (PAT, packet(0x1001, b"") * 300),
    "sections open on every PID": (
        b"",
        b"".join(packet(pid, b"\0\2\xbf\xff", start=True) for pid in range(1, 0x1FFF, 24)),
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_head_that_says_nothing_is_refused_within_bounds(tool: Ffmpeg, name: str) -> None:
    async def run() -> None:
        desk = Desk(tool)
        head, again = ENDLESS[name]
        with pytest.raises((PushRefused, MediaError)) as refusal:
            await desk.push(itertools.chain([head], itertools.repeat(again)))
        assert len(str(refusal.value)) > 20
        assert desk.read_bytes < READ_BYTES_MAX
        assert running_ffmpegs() == set()

    asyncio.run(run())


def test_a_bad_push_does_not_touch_a_good_one(tool: Ffmpeg, films: Path) -> None:
    async def run() -> None:
        film = (films / "film.ts").read_bytes()
        with pytest.raises(MediaError, match=r"\+cmaf"):
            await Desk(tool).beside_a_good_one(film, cut((films / "film.mp4").read_bytes()[:50_000]))

    asyncio.run(run())


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(tool: Ffmpeg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ingest.push.HEAD_WITHIN_S", 0.2)

    async def run() -> None:
        with pytest.raises(PushSilent, match="says what is in it"):
            await Desk(tool).push(itertools.repeat(b"G"))

    asyncio.run(run())


def test_a_picture_without_key_frames_is_refused(
    tool: Ffmpeg, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ingest.supervision.PICTURE_WITHIN_S", 1.0)
    data = (films / "sparse.ts").read_bytes()
    middle = len(data) // 2 // 188 * 188
    rest = itertools.cycle(cut(packet(0x1FFF, b"") * 10))

    async def run() -> None:
        desk = Desk(tool)

        async def body() -> AsyncIterator[bytes]:
            yield data[: 188 * 3]  # the tables
            yield data[middle:]
            for filler in rest:
                await asyncio.sleep(0.02)
                yield filler

        with pytest.raises(PushUnusable):
            await desk.desk.receive(desk.bad.key, body())
        assert desk.listeners["bad"].pieces == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "least_us"),
    [("lossy", 2_000_000), ("cut.mp4", 1_500_000), ("silent.ts", 2_900_000), ("slow.ts", 2_900_000)],
)
def test_what_is_poor_but_can_be_shown_goes_on_air(tool: Ffmpeg, films: Path, name: str, least_us: int) -> None:
    whole = {"lossy": "film.ts", "cut.mp4": "film.cmaf.mp4"}.get(name, name)
    data = (films / whole).read_bytes()
    if name == "lossy":
        luck = Random(1)
        packets = list(cut(data, 188))
        data = b"".join(packet for number, packet in enumerate(packets) if number < 20 or luck.random() > 0.05)
    elif name == "cut.mp4":
        data = data[: len(data) * 2 // 3]

    async def run() -> None:
        desk = Desk(tool)
        listener = await desk.push(cut(data))
        assert sum(piece.duration_us for piece in listener.pieces) >= least_us
        desk.desk.close()

    asyncio.run(run())


def test_objects_are_bounded_in_name_number_and_size(tool: Ffmpeg, films: Path) -> None:
    init = (films / "film.cmaf.mp4").read_bytes()
    init = init[: init.index(b"moof") - 4]

    async def run() -> None:
        desk = Desk(tool)

        async def put(name: str, *chunks: bytes, endless: bool = False) -> None:
            body = itertools.chain(chunks, itertools.repeat(chunks[-1])) if endless else iter(chunks)
            await desk.uploads.receive(desk.bad.key, name, desk.body(body))

        with pytest.raises(UnknownKey):
            await desk.uploads.receive("0" * 32, "a.ts", desk.body([b"G"]))
        for name in ("a" * 300 + ".ts", "Streams(" * 10_000 + "a.mp4)", "../" * 100 + "a.mp4", "a.exe"):
            with pytest.raises(PushUnusable, match="Only segments"):
                await put(name, b"G")
        with pytest.raises(PushUnusable, match="does not end"):
            await put("init.mp4", FTYP, make_box(b"free", bytes(60_000)), endless=True)
        with pytest.raises(PushUnusable, match="playlist"):
            await put("index.m3u8", b"#EXTM3U\n" + b"#" * CHUNK_BYTES, endless=True)
        assert desk.read_bytes < READ_BYTES_MAX
        for number in range(TRACKS_MAX - 1):  # and one from above
            await put(f"{number}/init.mp4", init)
        with pytest.raises(PushUnusable, match="tracks"):
            await put("one more/init.mp4", init)
        await desk.uploads.close()

    asyncio.run(run())


def chunk(stream: int, size: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + size.to_bytes(3) + b"\x09\1\0\0\0" + data


@pytest.mark.parametrize(
    "bomb",
    [
        b"".join(chunk(stream, 200, bytes(128)) for stream in range(2, 60)),
        b"".join(bytes([0, stream]) + chunk(0, 200, bytes(128))[1:] for stream in range(200)),
        chunk(4, 0xFFFFFF, bytes(128)),
        write_message(SET_CHUNK_SIZE, b"\0\0\0\0", chunk_stream=2),
        write_message(SET_CHUNK_SIZE, (7 << 20).to_bytes(4), chunk_stream=2)
        + b"".join(chunk(stream, 8 << 20, bytes(7 << 20)) for stream in (4, 5)),
    ],
)
def test_bombs_of_chunks_are_refused(bomb: bytes) -> None:
    reader = ChunkReader()
    with pytest.raises(MediaError):
        list(map(reader.feed, cut(bomb)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x03\0\1a" * 50,
        b"\x0a\0\0\0\1" * 50,
        b"\x0a\xff\xff\xff\xff",
        b"\x0a\0\0\1\0" + b"\x0a\0\0\1\0" * 7 + b"\5" * 60_000,
        b"\x03" + b"\0\1a\5" * 1000,
        b"\5" * 1000,
        b"\x0c\xff\xff\xff\xffx",
    ],
)
def test_nested_and_endless_values_are_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        amf.read_values(data)


def test_a_key_file_that_is_damaged_ends_nothing(tool: Ffmpeg, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = IngestKeys(path)
    key = keys.add("studio").key
    path.write_text("{")
    path.chmod(0o600)
    desk = IngestDesk(keys, lambda _: Listener(), ffmpeg=tool)
    with pytest.raises(KeyFileBroken, match="damaged"):
        desk.check(key)
