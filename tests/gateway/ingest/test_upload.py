"""HLS, DASH and CMAF as objects: in order, out of order, repeated, and from an encoder that starts anew."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import InitMissing, KeyBusy, PushRefused, PushUnusable, UnknownKey
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.fragmented import FragmentFilter
from gateway.ingest.keys import IngestKeys
from gateway.ingest.uploads import Uploads
from gateway.media.errors import MediaError
from tests.gateway.ingest.streams import Listener, hashes

CHUNK_BYTES = 7000


@pytest.fixture(scope="module")
def objects(tool: Ffmpeg, films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film as ffmpeg's DASH, as HLS of MPEG-TS and of MP4, and as a CMAF file for each track."""
    folder = tmp_path_factory.mktemp("objects")
    cmaf = ("-f", "mp4", "-movflags", "+cmaf+frag_every_frame+empty_moov+default_base_moof+separate_moof")
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

    async def put(self, *names: str, sender: str = "", later: int = 0) -> None:
        """Send these objects; ``later`` is added to their numbers."""
        for name in names:
            data = chunks((self._objects / name).read_bytes())
            number = re.search(r"\d{5}", name)
            sent = name.replace(number[0], f"{int(number[0]) + later:05}") if number else name
            await self.uploads.receive(self.key, sent, data, sender=sender)

    def assert_one_took_over(self) -> None:
        """Two epochs, and no number left out."""
        assert len({piece.epoch for piece in self.listener.pieces}) == 2
        numbers = [piece.number for piece in self.listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert self.listener.ends == 0

    async def until_epochs(self, count: int) -> None:
        await self.listener.until(lambda: len({piece.epoch for piece in self.listener.pieces}) == count)

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


FIRST = [*INITS, *segments(VIDEO, 1), *segments(AUDIO, 1)]
SECOND = [*segments(VIDEO, 2), *segments(AUDIO, 2)]


@pytest.mark.parametrize(
    ("first", "second"),
    [(FIRST, SECOND), (["index0.ts"], ["index1.ts"]), (["init.mp4", "out0.m4s"], ["out1.m4s"])],
)
def test_a_second_sender_waits_and_takes_over(
    tool: Ffmpeg, objects: Path, first: Sequence[str], second: Sequence[str]
) -> None:
    async def run() -> None:
        site = Site(tool, objects)
        await site.put(*first, sender="a")
        await site.listener.until_pieces(1)
        await site.put(*first, sender="b")
        with pytest.raises(KeyBusy):
            await site.put(*first, sender="c")
        await site.put(*second, sender="a")
        assert len({piece.epoch for piece in site.listener.pieces}) == 1
        await site.put(*second, sender="b")  # and nothing more of the first one
        await site.until_epochs(2)
        site.assert_one_took_over()
        await site.close()

    asyncio.run(run())


def test_two_senders_of_one_address_are_told_apart_by_their_numbers(tool: Ffmpeg, objects: Path) -> None:
    async def run() -> None:
        site = Site(tool, objects)
        await site.put(*FIRST, later=50)
        await site.listener.until_pieces(1)
        await site.put(*FIRST)  # taken for the first one, started anew
        await site.until_epochs(2)
        await site.put(*SECOND, later=50)  # which is still there
        await site.put(*SECOND)
        await site.until_epochs(3)
        numbers = [piece.number for piece in site.listener.pieces]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        await site.close()

    asyncio.run(run())


def test_a_track_that_breaks_off_makes_way_at_once(tool: Ffmpeg, objects: Path) -> None:
    over = asyncio.Event()

    async def held(data: bytes, sent: asyncio.Event, go: asyncio.Event, *, broken: bool) -> AsyncIterator[bytes]:
        """Both tracks at one pace; at two thirds it waits, and then breaks off, or goes on until the test is over."""
        for number in range(40):
            await asyncio.sleep(0)
            if number == 26:
                sent.set()
                await go.wait()
                if broken:
                    raise ConnectionResetError
            yield data[len(data) * number // 40 : len(data) * (number + 1) // 40]
        await over.wait()

    async def run() -> None:
        site = Site(tool, objects)

        async def send(sender: str, go: asyncio.Event, *, broken: bool) -> asyncio.Future[list[BaseException | None]]:
            sent = {name: asyncio.Event() for name in ("video.cmfv", "audio.cmfa")}
            tracks = [
                site.uploads.receive(
                    site.key, name, held((objects / name).read_bytes(), event, go, broken=broken), sender=sender
                )
                for name, event in sent.items()
            ]
            sending = asyncio.gather(*tracks, return_exceptions=True)
            for event in sent.values():
                await event.wait()
            return sending

        gone, goes_on = asyncio.Event(), asyncio.Event()
        first = await send("a", gone, broken=True)
        await site.listener.until_pieces(1)
        second = await send("b", goes_on, broken=False)
        gone.set()
        assert [type(error) for error in await first] == [ConnectionResetError] * 2
        goes_on.set()
        await site.until_epochs(2)
        over.set()
        assert await second == [None, None]
        site.assert_one_took_over()
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
