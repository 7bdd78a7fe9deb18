"""Where a push becomes another is found however its bytes are cut, and nothing is lost at the cut."""

import asyncio
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest import flv
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.changes import BoxWatch, PacketWatch, TagWatch, Watch, watch_for
from gateway.ingest.errors import FfmpegMissing, PushUnusable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.key_frames import find_longest_gop
from gateway.ingest.probe import InputVideo
from gateway.ingest.sources import Encoding, FileSource
from gateway.media.errors import MediaError
from gateway.media.tracks import read_init
from tests.conftest import need_ffmpeg
from tests.gateway.ingest.streams import Listener, hashes, numbering
from tests.gateway.ingest.test_coding import X265, push

FORMATS = {"ts": "mpegts", "flv": "flv", "mp4": "mp4"}


@cache
def film(container: str, size: str, *coding: str, seconds: float = 1) -> bytes:
    """A second of picture and sound of this size."""
    command = [need_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=f=440:sample_rate=48000:d={seconds}", "-c:a", "aac"]
    chosen = coding or ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "25")
    command += [*chosen, "-f", FORMATS[container]]
    command += ["-movflags", "cmaf+frag_keyframe"] if container == "mp4" else []
    return subprocess.run([*command, "pipe:1"], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout


def joined(container: str) -> tuple[bytes, bytes]:
    """Two films of different size, the second as it comes in the middle of a push."""
    small, large = film(container, "160x90"), film(container, "192x108")
    return small, large[flv.HEADER_BYTES :] if container == "flv" else large


def run(watch: Watch, data: bytes, step: int) -> tuple[bytes, bytes]:
    """What belongs to the stream so far, and what the next one gets."""
    out = b""
    for at in range(0, len(data), step):
        out += watch.feed(data[at : at + step])
        if watch.after is not None:
            return out, watch.after + data[at + step :]
    return out + watch.end(), b""


@pytest.mark.parametrize("container", ["ts", "flv", "mp4"])
@pytest.mark.parametrize("step", [61, 188, 5000, 1 << 20])
def test_a_stream_that_stays_the_same_is_passed_on_whole(container: str, step: int) -> None:
    data, _ = joined(container)
    assert run(watch_for(FORMATS[container]), data, step) == (data, b"")


@pytest.mark.parametrize("container", ["ts", "flv", "mp4"])
@pytest.mark.parametrize("step", [61, 188, 5000, 1 << 20])
def test_another_size_is_a_cut(container: str, step: int) -> None:
    first, second = joined(container)
    before, after = run(watch_for(FORMATS[container]), first + second, step)
    assert first.startswith(before[: -188 * 4])
    assert len(first) - 2000 < len(before) <= len(first) + 800
    assert len(after) > len(second) - 2000


def test_a_changed_setup_in_flv_takes_all_that_is_new_along() -> None:
    def setup(kind: int, word: bytes) -> bytes:
        return flv.write_tag(kind, 0, (b"\x17\x00" if kind == flv.VIDEO else b"\xaf\x00") + word)

    picture = flv.write_tag(flv.VIDEO, 0, b"\x17\x01picture")
    old = flv.HEADER + setup(flv.VIDEO, b"old") + setup(flv.AUDIO, b"old") + picture
    new = setup(flv.VIDEO, b"new") + setup(flv.AUDIO, b"new") + picture
    watch = TagWatch()
    assert watch.feed(old + setup(flv.VIDEO, b"old") + new) == old + setup(flv.VIDEO, b"old")
    assert watch.after == flv.HEADER + new


@given(st.lists(st.binary(max_size=400), max_size=6), st.sampled_from([TagWatch, BoxWatch, PacketWatch]))
def test_any_bytes_are_passed_on_or_a_media_error(chunks: list[bytes], kind: type[Watch]) -> None:
    watch = kind()
    out = b""
    try:
        for chunk in chunks:
            out += watch.feed(chunk)
    except MediaError:
        return
    if watch.after is None:
        assert out + watch.end() == b"".join(chunks) or kind is TagWatch


@given(st.binary(max_size=183), st.binary(max_size=183), st.integers(0, 0xFF))
def test_any_packets_are_passed_on_or_cut(first: bytes, second: bytes, flags: int) -> None:
    packets = [b"G\x40\x00" + bytes((flags,)) + payload.ljust(184, b"\0") for payload in (first, second)]
    watch = PacketWatch()
    out = b"".join(watch.feed(packet) for packet in packets)
    assert out + watch.end() == b"".join(packets)


def epochs(listener: Listener) -> list[int]:
    return sorted({piece.epoch for piece in listener.pieces})


def sizes(listener: Listener) -> list[tuple[int, int]]:
    leads = [read_init(description.init).lead for _, description in listener.descriptions]
    return [(lead.width, lead.height) for lead in leads]


@pytest.mark.parametrize("container", ["ts", "flv", "mp4"])
def test_an_encoder_that_changes_its_size_goes_on_as_a_new_epoch(tool: Ffmpeg, container: str) -> None:
    first, second = joined(container)
    listener = push(tool, first + second)
    assert len(epochs(listener)) == 2
    assert sizes(listener) == [(160, 90), (192, 108)]
    numbers = [piece.number for piece in listener.pieces]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for epoch, (_, description) in zip(epochs(listener), listener.descriptions, strict=True):
        whole = [p for p in listener.pieces if p.epoch == epoch]
        assert sum(piece.duration_us for piece in whole) >= 900_000
        assert whole[0].key
        only = Listener(renditions=[], descriptions=[(epoch, description)], pieces=whole)
        only.renditions = [r for r in listener.renditions if r[0].media is description]
        assert len(hashes(tool, "-", film=only.film())) >= 24


def test_an_encoder_that_changes_its_codec_goes_on(tool: Ffmpeg) -> None:
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", X265)
    listener = push(tool, film("ts", "160x90") + film("ts", "160x90", *hevc))
    codecs = [description.init.count(b"hvcC") for _, description in listener.descriptions]
    assert codecs == [0, 1]


def test_a_new_size_is_encoded_in_that_size(tool: Ffmpeg) -> None:
    first, second = joined("ts")
    listener = push(tool, first + second, Encoding(coding="encode", preset="ultrafast", video_bps=300_000))
    assert sizes(listener) == [(160, 90), (192, 108)]


def enhanced(*coding: str) -> bytes:
    """FLV with codecs by four letters, which only a newer ffmpeg writes and reads."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1"]
    command += ["-f", "lavfi", "-i", "sine=f=440:sample_rate=48000:d=1", *coding, "-pix_fmt", "yuv420p"]
    command += ["-f", "flv", "pipe:1"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("coding", "codecs"),
    [
        (("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", X265, "-c:a", "aac"), ["mp4a", "hvc1"]),
        (("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-c:a", "libopus"), ["opus", "av01"]),
    ],
)
def test_flv_with_codecs_by_four_letters_goes_to_an_ffmpeg_that_reads_it(
    tool: Ffmpeg, coding: tuple[str, ...], codecs: list[str]
) -> None:
    listener = push(tool, enhanced(*coding))
    assert [track.codec[:4] for track in listener.init.tracks] == codecs
    assert len(hashes(tool, "-", film=listener.film())) == 25


def test_where_no_ffmpeg_reads_it_the_push_is_refused_with_what_to_do(
    tool: Ffmpeg, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(**_: object) -> Ffmpeg:
        raise FfmpegMissing("none")

    monkeypatch.setattr("gateway.ingest.stretch.find_ffmpeg", none)
    old = replace(tool, libavformat=(59, 27))
    head = (
        flv.HEADER + flv.write_tag(flv.VIDEO, 0, b"\x90hvc1config") + flv.write_tag(flv.AUDIO, 0, b"\xaf\x00\x11\x90")
    )
    with pytest.raises(PushUnusable, match=r"59\.27, 60\.16 is needed\. Send H\.264 and AAC, or MPEG-TS"):
        push(old, head)


def test_a_push_with_rare_key_frames_is_encoded_where_that_is_allowed(
    tool: Ffmpeg, films: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = subprocess.run(
        [tool.path, "-v", "error", "-i", str(films / "sparse.mp4"), "-c", "copy", "-f", "mpegts", "pipe:1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    ).stdout
    allowed = Encoding(encode_long_gop=True, preset="ultrafast", video_bps=300_000)
    listener = push(tool, data, allowed)
    assert "no key frame for 1." in caplog.text
    assert len(epochs(listener)) == 2
    first, second = ([p for p in listener.pieces if p.epoch == epoch] for epoch in epochs(listener))
    assert (sum(piece.key for piece in first), sum(piece.key for piece in second)) == (1, 2)
    # What was on air already is not sent again.
    assert sum(piece.duration_us for piece in listener.pieces) == pytest.approx(3_000_000, abs=300_000)


def test_the_key_frames_of_a_film_are_found_before_it_goes_on_air(tool: Ffmpeg, films: Path) -> None:
    async def look() -> list[float]:
        video = InputVideo(codec="h264")
        names = ("sparse.mp4", "film.ts", "sound.m4a")
        return [await find_longest_gop(tool, FileSource(path=films / name), video) for name in names]

    sparse, regular, none = asyncio.run(look())
    assert (sparse, regular) == pytest.approx((3.0, 1.0), abs=0.1)
    assert none == 0.0


def test_a_film_with_rare_key_frames_is_encoded_from_its_start(tool: Ffmpeg, films: Path) -> None:
    async def run() -> tuple[Listener, str]:
        listener = Listener()
        cast = Broadcast(
            FileSource(path=films / "sparse.mp4"),
            ffmpeg=tool,
            encoding=Encoding(encode_long_gop=True, preset="ultrafast"),
            numbering=numbering(),
            on_description=listener.description,
            on_piece=listener.piece,
        )
        running = asyncio.create_task(cast.run())
        await listener.until_pieces(7)
        coding = cast.stats.vitals.coding
        await cast.stop()
        await running
        return listener, coding

    listener, coding = asyncio.run(run())
    assert coding == "libx264"
    assert len(epochs(listener)) == 1
    assert [piece.key for piece in listener.pieces[:7]] == [True, *[False] * 4, True, False]
