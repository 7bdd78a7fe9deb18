"""Encoders in hardware are found by trying them. There is none here: a script in front of ffmpeg plays their part."""

import asyncio
import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ingest.commands import input_job, picture_job
from gateway.ingest.encoders import (
    AUTO,
    HARDWARE,
    NAMES,
    SOFTWARE,
    X264,
    VideoEncoder,
    encoder_named,
    find_encoder,
    settle_encoder,
)
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.probe import InputInfo, InputVideo
from gateway.ingest.sources import Encoding, FileSource, TestSource
from gateway.ladder import read_ladder
from tests.gateway.ingest.hardware import with_hardware
from tests.gateway.ingest.streams import Listener
from tests.gateway.ingest.test_coding import push

OLD = InputInfo(video=InputVideo(codec="mpeg2video", pixels="yuv420p", fps=25.0))
FILE = FileSource(path=Path("film.mpg"))

pytestmark = pytest.mark.usefixtures("graphics_card")


@pytest.mark.skipif(sys.platform != "linux", reason="devices are files on Linux only")
def test_what_has_no_device_is_not_tried(tool: Ffmpeg, tmp_path: Path) -> None:
    (tmp_path / "dev" / "nvidia0").unlink()
    machine, runs = with_hardware(tool, tmp_path, "h264_nvenc")
    assert find_encoder(machine, AUTO) == SOFTWARE
    assert not runs.exists()
    assert find_encoder(machine, "h264_nvenc") == "h264_nvenc"


def test_one_that_works_is_found_and_tried_once(tool: Ffmpeg, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    machine, runs = with_hardware(tool, tmp_path, "h264_nvenc")
    assert [find_encoder(machine, AUTO) for _ in range(3)] == ["h264_nvenc"] * 3
    assert len(runs.read_text().splitlines()) == 1
    assert caplog.text.count("is encoded by h264_nvenc") == 1


def test_one_that_reorders_pictures_is_not_taken(tool: Ffmpeg, tmp_path: Path) -> None:
    machine, _ = with_hardware(tool, tmp_path, "h264_nvenc", reorders=True)
    assert find_encoder(machine, "h264_nvenc") == SOFTWARE


def test_where_none_works_x264_does_it_and_one_line_says_so(
    tool: Ffmpeg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    machine, _ = with_hardware(tool, tmp_path, "none")
    assert find_encoder(machine, AUTO) == SOFTWARE
    assert len(caplog.records) == 1
    assert "by libx264" in caplog.text
    assert find_encoder(replace(machine, path="/nowhere"), "h264_qsv") == SOFTWARE
    assert "h264_qsv does not work here" in caplog.text


def test_software_is_not_tried() -> None:
    nowhere = Ffmpeg(path="/nowhere", libavformat=(62, 0))
    assert asyncio.run(settle_encoder(nowhere, Encoding(encoder=SOFTWARE))).encoder == SOFTWARE


@pytest.mark.parametrize("encoder", HARDWARE, ids=lambda encoder: encoder.name)
def test_all_are_asked_for_key_frames_at_the_same_pictures_and_none_reordered(encoder: VideoEncoder) -> None:
    name = encoder.name
    job = input_job(FILE, OLD, Encoding(encoder=name, segment_s=2.0))
    words = list(job.arguments)

    def option(key: str) -> str:
        return words[words.index(key) + 1]

    assert (option("-c:v"), option("-g"), option("-bf")) == (name, "50", "0")
    assert option("-force_key_frames") == "expr:eq(mod(n,50),0)"
    assert option("-b:v") == option("-maxrate:v") == "2500000"
    assert job.coding == name
    assert not {"-preset", "libx264"} <= set(words)


def test_pictures_are_brought_to_where_vaapi_encodes() -> None:
    job = input_job(FILE, OLD, Encoding(encoder="h264_vaapi", ladder=read_ladder(["180p", "90p"])))
    words = list(job.arguments)
    assert words[words.index("-vaapi_device") + 1] == "/dev/dri/renderD128"
    assert words[words.index("-filter:v:1") + 1].endswith(",format=nv12,hwupload")
    assert "-pix_fmt" not in words


def test_x264_stays_as_it_is() -> None:
    job = picture_job(TestSource(), Encoding(encoder=AUTO), video=3, audio=4)
    assert {"libx264", "zerolatency", "-sc_threshold", "-keyint_min"} <= set(job.arguments)
    assert encoder_named(AUTO) is encoder_named(SOFTWARE) is X264
    assert len(NAMES) == len(HARDWARE) + 2


def test_what_is_encoded_on_air_is_encoded_there(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    machine, runs = with_hardware(tool, tmp_path, "h264_nvenc")
    data = (films / "film.mpeg2.ts").read_bytes()
    listener: Listener = push(machine, data, Encoding(encoder=AUTO, video_bps=300_000))
    assert sum(piece.key for piece in listener.pieces) == 3
    assert "h264_nvenc" in runs.read_text().splitlines()[-1]
