"""ffmpeg's command lines: what is copied, what is encoded, and the rhythm of the parts."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ingest.commands import Job, input_job, picture_job, push_job
from gateway.ingest.probe import InputAudio, InputInfo, InputText, InputVideo
from gateway.ingest.sources import CameraSource, Encoding, FileSource, TestSource, UrlSource
from gateway.media.errors import CodecError

FILM = InputInfo(
    video=InputVideo(codec="h264", pixels="yuv420p", fps=25.0),
    audios=(InputAudio(codec="aac"),),
    duration_s=10.0,
    bitrate_bps=900_000,
)
OLD = InputInfo(video=InputVideo(codec="mpeg2video", pixels="yuv420p", fps=29.97), audios=(InputAudio(codec="mp2"),))
FILE = FileSource(path=Path("film.mp4"))


def option(job: Job, name: str) -> str:
    return job.arguments[job.arguments.index(name) + 1]


def test_h264_and_aac_are_copied() -> None:
    job = input_job(FILE, FILM, Encoding())
    assert (option(job, "-c:v"), option(job, "-c:a:0")) == ("copy", "copy")
    assert (job.copied, job.estimate_bps) == (True, 900_000)


def test_anything_else_is_encoded() -> None:
    job = input_job(FILE, OLD, Encoding(video_bps=1_000_000, audio_bps=64_000))
    assert (option(job, "-c:v"), option(job, "-c:a:0"), option(job, "-tune")) == ("libx264", "aac", "zerolatency")
    assert (job.copied, job.estimate_bps) == (False, 1_064_000)


def test_pixels_that_browsers_cannot_show_are_encoded() -> None:
    ten_bit = InputInfo(video=InputVideo(codec="h264", pixels="yuv420p10le", fps=25.0))
    assert option(input_job(FILE, ten_bit, Encoding()), "-c:v") == "libx264"


def test_encoding_can_be_forced() -> None:
    job = input_job(FILE, FILM, Encoding(coding="encode"))
    assert (option(job, "-c:v"), option(job, "-c:a:0")) == ("libx264", "aac")


def test_a_copy_that_is_impossible_is_refused() -> None:
    with pytest.raises(CodecError, match=r"film.mp4 is mpeg2video and mp2: only h264, hevc, av1, aac"):
        input_job(FILE, OLD, Encoding(coding="copy"))


def test_key_frames_come_once_a_segment() -> None:
    job = input_job(FILE, OLD, Encoding(segment_s=2.0))
    assert (option(job, "-g"), option(job, "-keyint_min"), option(job, "-sc_threshold")) == ("60", "60", "0")
    assert option(job, "-r") == "30000/1001"


def test_key_frames_are_forced_where_the_rate_is_not_known() -> None:
    job = push_job(InputInfo(video=InputVideo(codec="vp9")), Encoding())
    assert option(job, "-force_key_frames") == "expr:gte(t,n_forced*1.0)"


@pytest.mark.parametrize(
    ("fps", "part_us"),
    [
        (25.0, 200_000),
        (30.0, 200_000),
        (29.97, 200_200),
        (24.0, 208_333),
        (23.98, 208_542),
        (50.0, 200_000),
        (12.0, 166_667),
    ],
)
def test_a_part_is_a_whole_number_of_frames_less_a_hair(fps: float, part_us: int) -> None:
    info = InputInfo(video=InputVideo(codec="h264", pixels="yuv420p", fps=fps))
    job = input_job(FILE, info, Encoding())
    assert int(option(job, "-frag_duration")) == part_us - 1000
    assert job.part_s == pytest.approx(part_us / 1e6, abs=1e-5)


def test_sound_is_mapped_before_the_picture() -> None:
    job = input_job(FILE, FILM, Encoding())
    maps = [job.arguments[at + 1] for at, word in enumerate(job.arguments) if word == "-map"]
    assert [name.split(":")[1] for name in maps] == ["a", "v"]


def test_what_has_an_end_is_read_at_its_own_speed() -> None:
    live = InputInfo(video=FILM.video)
    assert "-re" in input_job(FILE, FILM, Encoding()).arguments
    assert "-re" in input_job(UrlSource(url="http://x/film.mp4"), FILM, Encoding()).arguments
    assert "-re" not in input_job(UrlSource(url="http://x/live.m3u8"), live, Encoding()).arguments
    assert "-re" not in input_job(CameraSource(device="/dev/video0"), live, Encoding()).arguments


def test_a_loop() -> None:
    job = input_job(FileSource(path=Path("film.mp4"), loop=True), FILM, Encoding())
    assert option(job, "-stream_loop") == "-1"
    assert "-stream_loop" not in input_job(FILE, FILM, Encoding()).arguments


def test_sound_from_a_transport_stream_is_filtered_when_it_is_copied() -> None:
    adts = replace(FILM, audios=(InputAudio(codec="aac", adts=True),))
    assert option(push_job(adts, Encoding()), "-bsf:a:0") == "aac_adtstoasc"
    assert option(input_job(FILE, adts, Encoding()), "-c:a:0") == "copy"
    assert "-bsf:a:0" not in input_job(FILE, FILM, Encoding()).arguments


def test_sound_from_a_transport_stream_that_is_looped_is_encoded() -> None:
    adts = replace(FILM, audios=(InputAudio(codec="aac", adts=True),))
    job = input_job(FileSource(path=Path("film.ts"), loop=True), adts, Encoding())
    assert (option(job, "-c:v"), option(job, "-c:a:0")) == ("copy", "aac")


def test_a_file_is_a_file_whatever_it_is_called() -> None:
    job = input_job(FileSource(path=Path("-y http:")), FILM, Encoding())
    assert option(job, "-i") == "file:-y http:"


def test_the_network_is_not_waited_for_without_end() -> None:
    live = InputInfo(video=FILM.video)
    assert option(input_job(UrlSource(url="https://x/y"), live, Encoding()), "-rw_timeout") == "10000000"
    assert option(input_job(UrlSource(url="rtsp://x/y"), live, Encoding()), "-timeout") == "10000000"


def test_a_push_is_read_as_a_transport_stream_and_nothing_else() -> None:
    job = push_job(FILM, Encoding())
    assert job.arguments[: job.arguments.index("-i")].count("mpegts") == 1
    assert option(job, "-i") == "pipe:0"


def test_what_comes_by_webrtc_is_not_looked_at_for_long() -> None:
    plain = replace(FILM, audios=(InputAudio(codec="opus"),))
    looks = [int(option(push_job(info, Encoding(copy_codecs=())), "-analyzeduration")) for info in (plain, FILM)]
    assert looks[0] < looks[1]
    again = push_job(plain, Encoding(copy_codecs=()), look_s=5.0)
    assert option(again, "-analyzeduration") == "5000000", "a longer look is asked for when the first one has failed"


def test_the_test_picture_comes_from_two_pipes() -> None:
    job = picture_job(TestSource(width=320, height=180, fps=30), Encoding(), video=7, audio=9)
    inputs = [job.arguments[at + 1] for at, word in enumerate(job.arguments) if word == "-i"]
    assert sorted(inputs) == ["pipe:7", "pipe:9"]
    assert "320x180" in job.arguments


def test_every_job_writes_fragmented_mp4() -> None:
    jobs = (
        input_job(FILE, FILM, Encoding()),
        push_job(FILM, Encoding()),
        picture_job(TestSource(), Encoding(), video=3, audio=4),
    )
    for job in jobs:
        assert option(job, "-movflags") == "cmaf+frag_keyframe+delay_moov+frag_discont+separate_moof"
        assert "pipe:1" in job.arguments


def test_subtitles_are_written_as_subrip_into_pipes_of_their_own() -> None:
    texts = (InputText(number=0, language="ger"), InputText(number=2, language="eng"))
    job = input_job(FILE, replace(FILM, texts=texts), Encoding(), [7, 8])
    maps = [job.arguments[at + 1] for at, word in enumerate(job.arguments) if word == "-map"]
    assert maps == ["0:a:0", "0:v:0", "0:s:0", "0:s:2"]
    assert [word for word in job.arguments if word.startswith("pipe:")] == ["pipe:1", "pipe:7", "pipe:8"]
    assert job.texts == ("ger", "eng")
