"""HLS, DASH and CMAF as objects: in order, out of order, repeated, and from an encoder that starts anew."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import InitMissing, PushRefused, PushUnusable, UnknownKey
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.fragmented import FragmentFilter
from gateway.ingest.keys import IngestKeys
from gateway.ingest.upload import Uploads
from gateway.media.errors import MediaError
from tests.gateway.ingest.streams import Listener, hashes

CHUNK_BYTES = 7000


@pytest.fixture(scope="module")
def objects(tool: Ffmpeg, films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film as ffmpeg's DASH, as HLS of MPEG-TS and of MP4, and as a CMAF file for each track."""
    folder = tmp_path_factory.mktemp("objects")
    cmaf = ("-f", "mp4", "-movflags", "+cmaf+frag_keyframe+empty_moov+default_base_moof+separate_moof")
    for name, *options in (
        ("manifest.mpd", "-f", "dash", "-seg_duration", "1"),
        ("index.m3u8", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0"),
        ("out.m3u8", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4"),
        ("video.cmfv", "-map", "0:v", *cmaf),
        ("audio.cmfa", "-map", "0:a", *cmaf),
    ):
        command = [tool.path, "-v", "error", "-nostdin", "-i", str(films / "film.mp4"), "-c", "copy", *options, name]
        subprocess.run(command, check=True, cwd=folder)
    return folder


class Site:
    """One key, and what goes on air from its objects."""

    def __init__(self, tool: Ffmpeg, objects: Path) -> None:
        self._objects = objects
        keys = IngestKeys()
        self.key = keys.add("studio").key
        self.listener = Listener()
        self.desk = IngestDesk(keys, lambda _: self.listener, ffmpeg=tool)
        self.uploads = Uploads(self.desk)

    async def put(self, *names: str) -> None:
        for name in names:
            await self.uploads.receive(self.key, name, chunks((self._objects / name).read_bytes()))

    async def until_over(self) -> None:
        await self.listener.until(lambda: sum(piece.duration_us for piece in self.listener.pieces) >= 2_900_000)

    async def close(self) -> None:
        await self.uploads.close()
        self.desk.close()


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), CHUNK_BYTES):
        await asyncio.sleep(0)
        yield data[at : at + CHUNK_BYTES]
    yield b""


def segments(form: str, *numbers: int) -> list[str]:
    return [form.format(number) for number in numbers]


VIDEO, AUDIO = "chunk-stream0-{:05}.m4s", "chunk-stream1-{:05}.m4s"
INITS = ["init-stream0.m4s", "init-stream1.m4s"]


@pytest.mark.parametrize(
    "names",
    [
        [*segments("index{}.ts", 0, 1, 2), "index.m3u8"],
        [*segments("index{}.ts", 0, 2, 1, 1, 0), "index.m3u8"],
        ["init.mp4", *segments("out{}.m4s", 0, 1, 2), "out.m3u8"],
        ["init.mp4", *segments("out{}.m4s", 0, 2, 0, 1, 2), "out.m3u8"],
        [*INITS, *segments(VIDEO, 1, 2, 3), *segments(AUDIO, 1, 2, 3), "manifest.mpd"],
        [*INITS, *segments(AUDIO, 1, 3), *segments(VIDEO, 1, 3, 1, 2, 2), *INITS, *segments(AUDIO, 2), "manifest.mpd"],
    ],
)
def test_a_film_goes_on_air_whole(tool: Ffmpeg, films: Path, objects: Path, names: Sequence[str]) -> None:
    async def run() -> None:
        site = Site(tool, objects)
        await site.put(*names)
        await site.until_over()
        film = await asyncio.to_thread(hashes, tool, str(films / "film.mp4"))
        assert await asyncio.to_thread(hashes, tool, "-", film=site.listener.film()) == film
        assert [track.codec[:4] for track in site.listener.init.tracks] == ["mp4a", "avc1"]
        await site.close()

    asyncio.run(run())


def test_tracks_of_cmaf_come_on_a_connection_each(tool: Ffmpeg, films: Path, objects: Path) -> None:
    async def run() -> None:
        site = Site(tool, objects)
        await asyncio.gather(site.put("video.cmfv"), site.put("audio.cmfa"))
        await site.until_over()
        film = await asyncio.to_thread(hashes, tool, str(films / "film.mp4"))
        assert await asyncio.to_thread(hashes, tool, "-", film=site.listener.film()) == film
        await site.close()

    asyncio.run(run())


def test_an_encoder_that_starts_anew_goes_on(tool: Ffmpeg, objects: Path) -> None:
    async def run() -> None:
        site = Site(tool, objects)
        for _ in range(2):
            await site.put(*INITS, *segments(VIDEO, 1, 2, 3), *segments(AUDIO, 1, 2, 3))
        await site.put("manifest.mpd")
        await site.listener.until(lambda: sum(piece.duration_us for piece in site.listener.pieces) >= 5_800_000)
        assert len({piece.epoch for piece in site.listener.pieces}) == 2
        await site.close()

    asyncio.run(run())


def test_what_cannot_be_taken_is_refused(tool: Ffmpeg, objects: Path) -> None:
    async def run() -> None:
        site = Site(tool, objects)
        with pytest.raises(UnknownKey):
            await site.uploads.receive("0" * 32, "index0.ts", chunks(b"G"))
        with pytest.raises(PushUnusable, match="Only segments"):
            await site.uploads.receive(site.key, "x.php", chunks(b"G"))
        with pytest.raises(InitMissing):
            await site.put(*segments(VIDEO, 1))
        for garbage in (b"garbage" * 1000, b"\xff\xff\xff\xffftyp" + bytes(9000)):
            with pytest.raises(PushRefused):
                await site.uploads.receive(site.key, "video/init.mp4", chunks(garbage))
        assert site.listener.pieces == []
        await site.close()

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_boxes_made_for_files_are_left_out_however_the_bytes_are_cut(objects: Path, size: int) -> None:
    data = (objects / "out0.m4s").read_bytes()
    sieve = FragmentFilter()
    kept = b"".join(sieve.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert kept == data[data.index(b"moof") - 4 :]
    with pytest.raises(MediaError):
        FragmentFilter().feed((1 << 30).to_bytes(4) + b"mdat")
