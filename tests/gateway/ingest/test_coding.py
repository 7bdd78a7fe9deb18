"""Copy when it can: each codec from a real encoder through ingest, window and views, and back by ffprobe."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest

from gateway.ingest.assembly import Assembly
from gateway.ingest.coding import is_usual
from gateway.ingest.commands import input_job
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.probe import read_probe
from gateway.ingest.push import run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding, FileSource
from gateway.live import LiveWindow
from gateway.live.segments import Segment
from gateway.live.transport import TransportStreams
from gateway.media.errors import CodecError
from gateway.media.payload import unpack
from tests.conftest import need_ffmpeg, need_ffprobe
from tests.gateway.ingest.streams import Listener, hashes, numbering

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=1")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:sample_rate=48000:d=1")
X265 = "log-level=none:keyint=25:min-keyint=25:scenecut=0:bframes=0"
VIDEO = {
    "h264": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0"),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", X265),
    "hevc10": ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-x265-params", X265),
    "av1": ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "25", "-pix_fmt", "yuv420p"),
    "h264 4:2:2": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv422p10le", "-g", "25"),
}
AUDIO = {
    "aac": ("-c:a", "aac"),
    "ac3": ("-c:a", "ac3"),
    "eac3": ("-c:a", "eac3"),
    "opus": ("-c:a", "libopus"),
}
STRINGS = {
    "h264": "avc1.42C00B",
    "hevc": "hvc1.1.6.L30.90",
    "hevc10": "hvc1.2.4.L30.90",
    "av1": "av01.0.00M.08",
    "aac": "mp4a.40.2",
    "ac3": "ac-3",
    "eac3": "ec-3",
    "opus": "opus",
}
PAIRS = (("h264", "eac3"), ("hevc", "ac3"), ("hevc10", "aac"), ("av1", "opus"), ("hevc", "opus"))
TRANSPORT_TYPES = {"hevc": "hevc", "hevc10": "hevc", "h264": "h264"}


@cache
def film(folder: Path, video: str, audio: str, container: str) -> Path:
    """A second of it, written once."""
    path = folder / f"{video.replace(' ', '-').replace(':', '')}-{audio}.{container}"
    if container == "mkv":
        coding = (*PICTURE, *SOUND, *VIDEO[video], *AUDIO[audio])
    else:
        coding = ("-i", str(film(folder, video, audio, "mkv")), "-c", "copy")
        coding += ("-movflags", "cmaf+frag_every_frame") if container == "mp4" else ()
    command = [need_ffmpeg(), "-v", "error", *coding, str(path)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("coded")


@cache
def play(tool: Ffmpeg, path: Path) -> Listener:
    """A whole file on air, as fast as ffmpeg reads it."""
    probed = subprocess.run([tool.path, "-hide_banner", "-i", str(path)], capture_output=True, check=False)
    info = read_probe(path.name, probed.stderr.decode().splitlines())
    encoding, listener = Encoding(video_bps=300_000), Listener()
    job = input_job(FileSource(path=path), info, encoding)
    arguments = [word for word in job.arguments if word != "-re"]
    written = subprocess.run([tool.path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assembly = Assembly(job, encoding, numbering(), on_description=listener.description, on_piece=listener.piece)
    assembly.feed(written.stdout, time.time_ns() // 1000)
    assembly.finish()
    return listener


def push(tool: Ffmpeg, data: bytes, encoding: Encoding | None = None) -> Listener:
    """A whole file pushed."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 5000):
            yield data[at : at + 5000]

    async def run() -> Listener:
        listener = Listener()
        await run_push(
            PushBody(chunks(), idle_s=30.0),
            ffmpeg=tool,
            encoding=encoding or Encoding(video_bps=300_000),
            numbering=numbering(),
            sink=listener,
        )
        return listener

    return asyncio.run(run())


def window_of(listener: Listener) -> LiveWindow:
    window = LiveWindow()
    for epoch, description in listener.descriptions:
        window.set_description(epoch, description)
    for piece in listener.pieces:
        content = unpack(piece.payloads[0])
        window.add_piece(piece.number, piece.epoch, piece.capture_us, piece.duration_us, content)
    window.end()
    return window


def codecs_of(listener: Listener) -> list[str]:
    return [track.codec for track in listener.init.tracks]


def streams_in(data: bytes, path: Path) -> list[tuple[str, str]]:
    """Codec and tag of each stream, as ffprobe reads it; it must not complain."""
    path.write_bytes(data)
    command = [need_ffprobe(), "-v", "error", "-of", "json", "-show_streams", str(path)]
    result = subprocess.run(command, capture_output=True, check=True)
    assert not result.stderr
    return [(stream["codec_name"], stream["codec_tag_string"]) for stream in json.loads(result.stdout)["streams"]]


def whole(window: LiveWindow, track: int | None) -> bytes:
    """All segments of a track, or of the muxed view, behind the init segment."""
    segments: list[Segment] = list(window.kept())
    init = window.init(segments[0].epoch, track)
    assert init is not None
    return init + b"".join(bytes(b) for segment in segments for b in segment.buffers(track))


@pytest.mark.parametrize(("video", "audio"), PAIRS)
def test_each_codec_is_copied_and_named_in_every_view(
    tool: Ffmpeg, folder: Path, tmp_path: Path, video: str, audio: str
) -> None:
    source = film(folder, video, audio, "mkv")
    listener = play(tool, source)
    assert codecs_of(listener) == [STRINGS[audio], STRINGS[video]]
    window = window_of(listener)
    assert f'CODECS="{STRINGS[audio]},{STRINGS[video]}"' in window.index().decode()
    assert f'CODECS="{STRINGS[video]},{STRINGS[audio]}"' in window.tracks_index().decode()
    mpd = window.manifest(1.0).decode()
    assert f'codecs="{STRINGS[video]}"' in mpd
    assert f'codecs="{STRINGS[audio]}"' in mpd
    muxed = whole(window, None)
    assert dict(streams_in(muxed, tmp_path / "muxed.mp4")) == {
        video.removesuffix("10"): STRINGS[video][:4],
        audio: STRINGS[audio][:4].replace("opus", "Opus"),
    }
    assert hashes(tool, "-", film=muxed) == hashes(tool, str(source))


@pytest.mark.parametrize(("video", "audio"), [pair for pair in PAIRS if pair[0] != "av1"])
def test_mpeg_ts_carries_them_too(tool: Ffmpeg, folder: Path, tmp_path: Path, video: str, audio: str) -> None:
    source = film(folder, video, audio, "mkv")
    window = window_of(play(tool, source))
    made = TransportStreams(1.0).of(window)
    data = b"".join(made.part(segment.msn, index) for segment in window.kept() for index in range(len(segment.slots)))
    assert [name for name, _ in streams_in(data, tmp_path / "film.ts")] == [video.removesuffix("10"), audio]
    assert hashes(tool, "-", film=data) == hashes(tool, str(source))


def test_what_mpeg_ts_cannot_carry_is_refused(tool: Ffmpeg, folder: Path) -> None:
    with pytest.raises(CodecError, match=r"index\.m3u8"):
        TransportStreams(1.0).of(window_of(play(tool, film(folder, "av1", "opus", "mkv"))))


@pytest.mark.parametrize(
    ("video", "audio", "container"),
    [("hevc", "ac3", "ts"), ("h264", "eac3", "ts"), ("hevc", "opus", "ts"), ("av1", "opus", "mp4")],
)
def test_pushes_are_copied_too(tool: Ffmpeg, folder: Path, video: str, audio: str, container: str) -> None:
    source = film(folder, video, audio, container)
    listener = push(tool, source.read_bytes())
    assert codecs_of(listener) == [STRINGS[audio], STRINGS[video]]
    assert hashes(tool, "-", film=listener.film()) == hashes(tool, str(source))


@pytest.mark.parametrize("container", ["mkv", "ts", "mp4"])
def test_a_profile_that_no_player_shows_is_encoded(tool: Ffmpeg, folder: Path, container: str) -> None:
    source = film(folder, "h264 4:2:2", "aac", container)
    listener = play(tool, source) if container == "mkv" else push(tool, source.read_bytes())
    assert codecs_of(listener)[0] == STRINGS["aac"]
    assert is_usual(listener.init.lead.codec)
    assert len(hashes(tool, "-", film=listener.film())) >= 25


def test_codecs_that_are_not_to_be_copied_are_encoded(tool: Ffmpeg, folder: Path) -> None:
    listener = push(
        tool, film(folder, "hevc", "ac3", "ts").read_bytes(), Encoding(copy_codecs=("h264", "aac"), preset="ultrafast")
    )
    assert [codec[:4] for codec in codecs_of(listener)] == ["mp4a", "avc1"]
