"""How inputs are opened: the protocols that each may use, the speed, the patience."""

import sys
from pathlib import Path

import pytest

from gateway.ingest.commands import input_job
from gateway.ingest.naming import SCHEMES
from gateway.ingest.opening import PROTOCOLS, probe_arguments
from gateway.ingest.probe import InputAudio, InputInfo, InputVideo
from gateway.ingest.sources import CameraSource, Encoding, ListSource, ScreenSource, SdpSource, Source, UrlSource

LIVE = InputInfo(video=InputVideo(codec="h264", pixels="yuv420p", fps=25.0), audios=(InputAudio(codec="aac"),))
HLS = InputInfo(video=LIVE.video, audios=LIVE.audios, format="hls")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="devices have other names elsewhere")
URL = UrlSource(url="https://x/live")


def arguments(source: Source, info: InputInfo = LIVE) -> tuple[str, ...]:
    return input_job(source, info, Encoding()).arguments


def option(words: tuple[str, ...] | list[str], name: str) -> str:
    return words[words.index(name) + 1]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_its_protocols_and_none_reads_files(scheme: str) -> None:
    source = UrlSource(url=f"{scheme}://x/live")
    for words in (arguments(source), probe_arguments(source)):
        allowed = option(words, "-protocol_whitelist").split(",")
        assert scheme in allowed
        assert not {"file", "subfile", "concat", "pipe", "unix", "fd"} & set(allowed)


def test_web_pages_and_feeds_lead_to_no_other_kinds_of_servers() -> None:
    assert not {"udp", "rtp", "rtmp", "srt", "ftp", "gopher"} & set(PROTOCOLS["http"].split(","))


def test_segments_are_read_at_the_speed_at_which_they_play() -> None:
    assert "-re" in arguments(URL, HLS)
    assert "-re" in arguments(URL, InputInfo(video=LIVE.video, format="dash"))
    assert "-re" not in arguments(URL)


def test_a_live_playlist_is_read_from_near_its_end_and_a_film_from_its_beginning() -> None:
    film = InputInfo(video=LIVE.video, format="hls", duration_s=60.0)
    assert option(arguments(URL, HLS), "-live_start_index") == "-3"
    assert "-live_start_index" not in arguments(URL, film)
    assert "-live_start_index" not in arguments(URL)


def test_how_long_a_beginning_is_looked_at() -> None:
    assert option(arguments(URL), "-analyzeduration") == "2500000"
    assert option(probe_arguments(UrlSource(url="udp://x:1", analyze_s=12.0)), "-analyzeduration") == "12000000"


def test_a_session_description_may_name_rtp_and_nothing_else() -> None:
    words = arguments(SdpSource(path=Path("a.sdp")))
    assert option(words, "-protocol_whitelist") == "file,rtp,udp,srtp"
    assert option(words, "-i") == "file:a.sdp"


@LINUX
def test_a_screen_without_a_microphone_has_silence() -> None:
    words = arguments(ScreenSource(display=":5"))
    inputs = [words[at + 1] for at, word in enumerate(words) if word == "-i"]
    maps = [words[at + 1] for at, word in enumerate(words) if word == "-map"]
    assert sorted(inputs) == [":5", "anullsrc=r=48000:cl=stereo"]
    silence, picture = (inputs.index(name) for name in ("anullsrc=r=48000:cl=stereo", ":5"))
    assert maps == [f"{silence}:a:0", f"{picture}:v:0"]


@LINUX
def test_a_camera_with_a_microphone() -> None:
    words = arguments(CameraSource(device="/dev/video0", microphone="alsa:hw:1"))
    assert {"/dev/video0", "hw:1"} == {words[at + 1] for at, word in enumerate(words) if word == "-i"}
    assert "hw:1" not in probe_arguments(CameraSource(device="/dev/video0", microphone="alsa:hw:1"))


def test_a_list_is_opened_film_by_film() -> None:
    with pytest.raises(ValueError, match="lists are not opened"):
        probe_arguments(ListSource(names=("films",)))
