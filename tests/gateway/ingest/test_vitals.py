"""What is said of a broadcast that goes well, and of one that does not."""

from dataclasses import dataclass

from gateway.ingest.progress import Progress
from gateway.ingest.vitals import vitals_of
from gateway.media.parts import InitSegment
from tests.gateway.media_fixture import stream


@dataclass
class Epoch:
    init: InitSegment | None = None
    coding: str = "copy"
    copied: bool = True
    fps: float = 25.0
    gop_s: float = 1.0
    gop_s_max: float = 1.0
    warning: str = ""
    failed_encoder: str = ""
    encoder_delay_s: float | None = None


@dataclass
class Tool:
    progress: Progress | None = None
    stderr: tuple[str, ...] = ()


def told(*, speed: float | None = 1.0, dropped: int = 0) -> Progress:
    return Progress(frames=1000, dropped=dropped, duplicated=4, speed=speed)


def test_a_broadcast_that_goes_well_has_nothing_to_warn_of() -> None:
    vitals = vitals_of(Epoch(init=stream().init), Tool(told()))
    assert (vitals.warnings, vitals.complaint, vitals.speed, vitals.frames_duplicated) == ((), "", 1.0, 4)
    assert vitals.video_codec.startswith("avc1.")
    assert vitals.audio_codec == "mp4a.40.2"
    assert vitals.width > vitals.height > 0


def test_before_it_begins_nothing_is_known() -> None:
    vitals = vitals_of(Epoch(), None)
    assert (vitals.video_codec, vitals.width, vitals.speed, vitals.complaint) == ("", 0, None, "")


def test_what_is_wrong_with_the_picture_comes_before_what_is_wrong_with_the_work() -> None:
    warnings = vitals_of(Epoch(warning="No key frame for 9 s."), Tool(told(speed=0.8))).warnings
    assert [warning[:12] for warning in warnings] == ["No key frame", "It runs at 0"]


def test_slowness_is_laid_to_the_encoder_only_where_there_is_one() -> None:
    (copied,) = vitals_of(Epoch(), Tool(told(speed=0.8))).warnings
    (encoded,) = vitals_of(Epoch(copied=False), Tool(told(speed=0.8))).warnings
    assert "0.80 times" in copied
    assert "encodes" not in copied
    assert "encodes too slowly" in encoded


def test_an_encoder_that_failed_is_told_of_in_plain_words() -> None:
    (warning,) = vitals_of(Epoch(coding="libx264", copied=False, failed_encoder="h264_nvenc"), Tool(told())).warnings
    assert warning.startswith("This machine's encoder h264_nvenc failed: libx264 encodes the picture in its place")
    assert "after 10 minutes" in warning


def test_a_few_dropped_frames_are_no_matter_and_many_are() -> None:
    assert vitals_of(Epoch(), Tool(told(dropped=20))).warnings == ()
    assert "500 frames" in vitals_of(Epoch(), Tool(told(dropped=500))).warnings[0]


def test_the_last_complaint_is_told_in_plain_words() -> None:
    said = ("[mpegts @ 0x5] Packet corrupt (stream = 0, dts = 900).", "[h264 @ 0x5] deprecated pixel format used")
    assert vitals_of(Epoch(), Tool(told(), said)).complaint == "parts are damaged"
