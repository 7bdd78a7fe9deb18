"""Pushes that misbehave: their times wrap and leap, their tracks come late, pause, or never come at all."""

import subprocess
from functools import cache

import pytest

from gateway.ingest import flv
from gateway.ingest.assembly import Assembly
from gateway.ingest.commands import input_job
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.probe import InputInfo, InputVideo
from gateway.ingest.sources import Encoding, UrlSource
from gateway.ladder import read_ladder
from gateway.media.errors import MediaError
from gateway.media.mpegts import CLOCK_HZ, TIMES
from gateway.media.payload import unpack
from gateway.media.tracks import read_init
from tests.conftest import need_ffmpeg
from tests.gateway.ingest.streams import Listener
from tests.gateway.ingest.test_changes import FORMATS, epochs, film
from tests.gateway.ingest.test_coding import X265, push

WRAP_S = TIMES / CLOCK_HZ
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0", "-c:a", "aac")


@cache
def odd(
    *options: str,
    container: str = "ts",
    rate: int = 25,
    picture_s: float = 2,
    sound_s: float = 2,
    sound_from_s: float = 0,
    gop: int = 25,
) -> bytes:
    command = [need_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=160x90:r={rate}:d={picture_s}"]
    if sound_s:
        command += ["-itsoffset", str(sound_from_s), "-f", "lavfi", "-i", f"sine=f=440:sample_rate=48000:d={sound_s}"]
        command += ["-map", "0:v", "-map", "1:a"]
    command += [*H264, "-g", str(gop), *options, "-f", FORMATS[container]]
    command += ["-movflags", "cmaf+frag_keyframe"] if container == "mp4" else []
    return subprocess.run([*command, "pipe:1"], stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout


def length_s(listener: Listener) -> float:
    return sum(piece.duration_us for piece in listener.pieces) / 1e6


def sounding(listener: Listener) -> list[bool]:
    """Of each piece, whether it has sound."""
    return [len(content.parts) > 1 for content in listener.contents]


def test_a_clock_that_begins_anew_in_the_middle_goes_on(tool: Ffmpeg) -> None:
    listener = push(tool, odd("-output_ts_offset", str(int(WRAP_S) - 0.5)))
    times = [unpack(piece.payloads[0]).parts[0].decode_time for piece in listener.pieces]
    assert times == sorted(times)
    assert len(epochs(listener)) == 1
    assert length_s(listener) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("container", ["ts", "flv", "mp4"])
@pytest.mark.parametrize("later_s", [0, 7200])
def test_times_that_leap_do_not_tear_the_stream(tool: Ffmpeg, container: str, later_s: int) -> None:
    first, second = odd(container=container), odd("-output_ts_offset", str(later_s), container=container)
    if container == "flv":
        second = second[flv.HEADER_BYTES :]
    if container == "mp4":
        second = second[second.index(b"moof") - 4 :]
    listener = push(tool, first + second)
    assert length_s(listener) == pytest.approx(4.0, abs=0.2)
    assert max(piece.duration_us for piece in listener.pieces) < 500_000
    # ffmpeg bridges the leaps of MPEG-TS by itself.
    assert len(epochs(listener)) == (1 if container == "ts" else 2)


def test_sound_that_comes_late_begins_an_epoch_with_sound(tool: Ffmpeg) -> None:
    listener = push(tool, odd(picture_s=7, sound_from_s=5, sound_s=2))
    assert [len(read_init(media.init).tracks) for _, media in listener.descriptions] == [1, 2]
    heard = sounding(listener)
    assert not any(heard[:20])
    assert heard.count(True) >= 5


def test_sound_that_never_comes_is_left_out(tool: Ffmpeg) -> None:
    data = odd()
    packets = (data[at : at + 188] for at in range(0, len(data), 188))
    listener = push(tool, b"".join(packet for packet in packets if packet[1:3] not in (b"\x41\x01", b"\x01\x01")))
    assert [track.kind for track in listener.init.tracks] == ["video"]
    assert length_s(listener) == pytest.approx(2.0, abs=0.1)


def test_sound_that_ends_early_leaves_the_picture(tool: Ffmpeg) -> None:
    listener = push(tool, odd(picture_s=4, sound_s=1))
    assert length_s(listener) == pytest.approx(4.0, abs=0.1)


def test_one_picture_a_second(tool: Ffmpeg) -> None:
    listener = push(tool, odd(rate=1, picture_s=6, sound_s=6, gop=1))
    assert length_s(listener) == pytest.approx(6.0, abs=1.1)
    assert all(piece.key for piece in listener.pieces[:5])


def test_pictures_at_uneven_times(tool: Ffmpeg) -> None:
    uneven = ("-vf", "select='not(mod(n,3))+lt(n,40)'", "-fps_mode", "vfr")
    listener = push(tool, odd(*uneven, picture_s=4, sound_s=4, gop=10))
    assert length_s(listener) == pytest.approx(4.0, abs=0.2)
    assert max(piece.duration_us for piece in listener.pieces) <= 320_000


def test_packets_that_are_missing_are_a_pause(tool: Ffmpeg) -> None:
    data = odd(picture_s=4, sound_s=4)
    third = len(data) // 3 // 188 * 188
    listener = push(tool, data[:third] + data[2 * third :])
    assert length_s(listener) >= 3.0


def test_a_picture_that_stands_for_minutes_ends_the_input() -> None:
    job = input_job(UrlSource(url="rtmp://x/y"), InputInfo(video=InputVideo(codec="h264")), Encoding())
    listener = Listener()
    assembly = Assembly(
        job,
        Encoding(),
        Numbering(unix_s=1e9, piece_s=0.2, segment_s=1.0),
        on_description=listener.description,
        on_piece=listener.piece,
    )
    leaping = odd("-vf", "setpts='PTS+gte(N,30)*100/TB'", "-fps_mode", "passthrough", container="mp4", sound_s=0)
    with pytest.raises(MediaError, match="leap by minutes"):
        assembly.feed(leaping, 10**15)


def test_a_ladder_with_sound_alone_comes_out_of_a_pushed_hevc(tool: Ffmpeg) -> None:
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", X265)
    encoding = Encoding(
        ladder=read_ladder(["90p", "180p"]), audio_rung=True, preset="ultrafast", audio_bps=64_000, segment_s=0.5
    )
    listener = push(tool, film("ts", "320x180", *hevc, seconds=2), encoding)
    assert [rendition.name for rendition in listener.renditions[0]] == ["90p", "180p", "audio"]
    assert sum(piece.key for piece in listener.pieces) >= 3
    for piece in listener.pieces:
        low, high, alone = (unpack(payload).parts for payload in piece.payloads)
        assert [(p.key, p.decode_time) for p in low] == [(p.key, p.decode_time) for p in high]
        assert [p.decode_time for p in alone] == [p.decode_time for p in low[1:]]


def test_a_picture_larger_than_8k_is_refused(tool: Ffmpeg) -> None:
    with pytest.raises(MediaError, match="8224x32: 8192"):
        push(tool, film("ts", "8224x32"))
