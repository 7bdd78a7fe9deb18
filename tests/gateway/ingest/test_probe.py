"""What ``ffmpeg -i`` says, read; and asked of real films."""

import asyncio
import random
from pathlib import Path

import pytest

from gateway.ingest.errors import InputUnclear, InputUnreadable
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.opening import probe_arguments
from gateway.ingest.probe import InputInfo, probe, read_probe
from gateway.ingest.sources import FileSource, UrlSource
from gateway.media.errors import CodecError, NoVideo

CAMERA = """\
Input #0, video4linux2,v4l2, from '/dev/video0':
  Duration: N/A, start: 4821.350541, bitrate: 147456 kb/s
  Stream #0:0: Video: rawvideo (YUY2 / 0x32595559), yuyv422, 640x480, 147456 kb/s, 30 fps, 30 tbr, 1000k tbn
At least one output file must be specified
"""
ALBUM = """\
  Duration: 00:03:21.04, start: 0.025057, bitrate: 320 kb/s
  Stream #0:0: Audio: mp3, 44100 Hz, stereo, fltp, 320 kb/s
  Stream #0:1: Video: mjpeg (Baseline), yuvj444p(pc), 600x600, 90k tbr, 90k tbn (attached pic)
"""


def look(tool: Ffmpeg, path: Path) -> InputInfo:
    return asyncio.run(probe(tool, path.name, probe_arguments(FileSource(path=path))))


def test_a_film(each_tool: Ffmpeg, films: Path) -> None:
    info = look(each_tool, films / "film.mp4")
    assert info.video is not None
    assert (info.video.codec, info.video.pixels, info.video.fps) == ("h264", "yuv420p", 25.0)
    assert [audio.codec for audio in info.audios] == ["aac"]
    assert info.duration_s == pytest.approx(3.0, abs=0.2)
    assert info.bitrate_bps is not None


def test_a_film_without_sound(tool: Ffmpeg, films: Path) -> None:
    assert look(tool, films / "silent.mp4").audios == ()


def test_sound_without_picture(tool: Ffmpeg, films: Path) -> None:
    info = look(tool, films / "sound.m4a")
    assert (info.video, [audio.codec for audio in info.audios]) == (None, ["aac"])


def test_neither_picture_nor_sound_is_refused() -> None:
    with pytest.raises(NoVideo, match=r"words.mkv has neither picture nor sound"):
        read_probe("words.mkv", ["  Stream #0:0(eng): Subtitle: subrip (default)"])


@pytest.mark.parametrize("said", ["Input #0, mpegts, from 'x':", "x: could not find codec parameters"])
def test_what_could_be_opened_may_be_looked_at_for_longer(said: str) -> None:
    with pytest.raises(InputUnclear):
        read_probe("x", [said])
    with pytest.raises(InputUnreadable) as refused:
        read_probe("x", ["x: Connection refused"])
    assert not isinstance(refused.value, InputUnclear)


def test_a_picture_larger_than_8k_is_refused() -> None:
    lines = ["  Stream #0:0: Video: h264 (High), yuv420p(progressive), 15360x8640 [SAR 1:1 DAR 16:9], 25 fps"]
    with pytest.raises(CodecError, match=r"x is 15360x8640: 8192"):
        read_probe("x", lines)
    (fitting,) = [line.replace("15360x8640", "7680x4320") for line in lines]
    video = read_probe("x", [fitting]).video
    assert video is not None
    assert (video.width, video.height) == (7680, 4320)


def test_what_is_no_film_is_refused_with_the_reason(tool: Ffmpeg, tmp_path: Path) -> None:
    (tmp_path / "noise.mkv").write_bytes(random.Random(1).randbytes(10_000))
    with pytest.raises(InputUnreadable, match=r"noise.mkv cannot be read: it is no video"):
        look(tool, tmp_path / "noise.mkv")


def test_a_letter_is_no_film(tool: Ffmpeg, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)
    with pytest.raises(InputUnreadable, match=r"letter.txt cannot be read: it is a text"):
        look(tool, tmp_path / "letter.txt")


def test_brackets_do_not_confuse_the_columns() -> None:
    line = "  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31), yuv420p(tv, bt709, progressive), 64x36, 24 fps"
    video = read_probe("x", [line]).video
    assert video is not None
    assert video.pixels == "yuv420p"


def test_a_server_that_is_not_there(tool: Ffmpeg) -> None:
    source = UrlSource(url="http://127.0.0.1:9/film.mp4")
    with pytest.raises(InputUnreadable, match="nobody answers"):
        asyncio.run(probe(tool, source.url, probe_arguments(source)))


def test_a_camera_has_no_end() -> None:
    info = read_probe("camera", CAMERA.splitlines())
    assert info.video is not None
    assert (info.video.codec, info.video.pixels, info.video.fps) == ("rawvideo", "yuyv422", 30.0)
    assert info.duration_s is None


def test_the_cover_of_an_album_is_no_video() -> None:
    assert read_probe("album.mp3", ALBUM.splitlines()).video is None


def test_a_codec_that_ffmpeg_does_not_know() -> None:
    with pytest.raises(CodecError, match="Convert it"):
        read_probe("odd.avi", ["  Stream #0:0: Video: none (XYZ1 / 0x315A5958), 320x240, 25 fps"])


def test_a_rate_that_is_no_frame_rate_is_not_believed() -> None:
    info = read_probe("odd.mkv", ["  Stream #0:0: Video: h264 (High), yuv420p, 320x240, 90k fps, 1k tbn"])
    assert info.video is not None
    assert info.video.fps is None


def test_subtitles_that_are_text_are_found_with_their_languages() -> None:
    lines = [
        "  Stream #0:0: Video: h264 (High), yuv420p, 320x240, 25 fps",
        "  Stream #0:1(ger): Audio: aac (LC), 48000 Hz, stereo, fltp",
        "  Stream #0:2(ger): Subtitle: subrip (default) (forced)",
        "  Stream #0:3(eng): Subtitle: hdmv_pgs_subtitle",
        "  Stream #0:4[0x5](fre): Subtitle: mov_text (tx3g / 0x67337874), 0 kb/s",
        "  Stream #0:5: Subtitle: ass",
    ]
    texts = read_probe("film.mkv", lines).texts
    assert [(text.number, text.language) for text in texts] == [(0, "ger"), (2, "fre"), (3, "und")]
