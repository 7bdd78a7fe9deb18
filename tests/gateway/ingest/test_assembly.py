"""From ffmpeg's bytes to pieces, with a stream that ffmpeg wrote once and the wall clock passed in."""

import subprocess
from pathlib import Path

import pytest

from gateway.ingest.assembly import Assembly, RateMeter
from gateway.ingest.commands import Job, input_job
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.probe import InputAudio, InputInfo, InputVideo
from gateway.ingest.sources import Encoding, FileSource
from gateway.media.errors import MediaError
from tests.gateway.ingest.streams import Listener
from tests.gateway.ingest.test_encoder_time import misb

X264 = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")
"""What x264 begins its message of user data with."""
START_US = 1_800_000_000_000_000
INFO = InputInfo(
    video=InputVideo(codec="h264", pixels="yuv420p", fps=25.0), audios=(InputAudio(codec="aac"),), bitrate_bps=777_000
)


@pytest.fixture(scope="module")
def job(films: Path) -> Job:
    return input_job(FileSource(path=films / "film.mp4"), INFO, Encoding())


@pytest.fixture(scope="module")
def written(tool: Ffmpeg, job: Job) -> bytes:
    """What ffmpeg writes of the film; its own stamps are of when the test ran, far from START_US."""
    fast = [word for word in job.arguments if word != "-re"]
    return subprocess.run([tool.path, *fast], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout


def assembly(job: Job, listener: Listener) -> Assembly:
    numbering = Numbering(unix_s=START_US / 1e6, piece_s=0.2, segment_s=1.0)
    return Assembly(
        job, Encoding(), numbering, on_description=listener.description, on_piece=listener.piece, clock=False
    )


@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_how_the_bytes_are_cut_does_not_matter(job: Job, written: bytes, step: int) -> None:
    listener = Listener()
    whole = assembly(job, listener)
    for at in range(0, len(written), step):
        whole.feed(written[at : at + step], START_US)
    whole.finish()
    assert len(listener.pieces) == whole.pieces == 15
    assert whole.size_bytes == sum(len(piece.payloads[0]) for piece in listener.pieces)
    assert len(listener.descriptions) == 1


def test_the_bitrate_is_estimated_first_and_measured_later(job: Job, written: bytes) -> None:
    whole = assembly(job, Listener())
    assert (whole.bitrate_bps, whole.fps) == (777_000, 0.0)
    whole.feed(written, START_US)
    whole.finish()
    assert whole.bitrate_bps == round(whole.size_bytes * 8 / 3.0)
    assert whole.fps == 25.0


def test_bytes_that_are_no_film_are_an_error(job: Job) -> None:
    with pytest.raises(MediaError):
        assembly(job, Listener()).feed(b"what is this? " * 100, START_US)


def test_a_second_beginning_is_a_new_epoch(job: Job, written: bytes) -> None:
    listener = Listener()
    whole = assembly(job, listener)
    whole.feed(written + written, START_US)
    whole.finish()
    epochs = [epoch for epoch, _ in listener.descriptions]
    assert len(epochs) == 2
    assert [piece.epoch for piece in listener.pieces] == [epochs[0]] * 15 + [epochs[1]] * 15
    assert [content.discontinuity for content in listener.contents] == [0] * 15 + [1] * 15


def test_nothing_at_all_is_no_error(job: Job) -> None:
    whole = assembly(job, Listener())
    whole.finish()
    assert whole.pieces == 0


def test_a_rate_is_that_of_the_last_ten_seconds() -> None:
    meter = RateMeter()
    for _ in range(7):
        meter.add(1000, 200_000)
        assert meter.rate_bps is None
    meter.add(1000, 200_000)
    assert meter.rate_bps == 40_000
    for _ in range(60):
        meter.add(2000, 200_000)
    assert meter.rate_bps == 80_000


def test_distances_of_key_frames_and_codecs_are_told(job: Job, written: bytes) -> None:
    whole = assembly(job, Listener())
    whole.feed(written, START_US)
    assert whole.gop_s == whole.gop_s_max == 1.0
    assert (whole.vitals.audio_codec, whole.vitals.copied) == ("mp4a.40.2", True)


@pytest.mark.parametrize("late_us", [5_000_000, 90_000_000])
def test_a_time_of_day_beside_the_key_frames_is_the_capture_time(job: Job, written: bytes, late_us: int) -> None:
    """Written over the beginning of the message in which x264 names itself."""
    listener = Listener()
    whole = assembly(job, listener)
    at, message = written.index(X264), misb(START_US - late_us)
    whole.feed(written[:at] + message + written[at + len(message) :], START_US)
    whole.finish()
    believed = late_us < 60_000_000
    assert (whole.encoder_delay_s is not None) is believed
    assert (listener.pieces[0].capture_us == START_US - late_us) is believed
