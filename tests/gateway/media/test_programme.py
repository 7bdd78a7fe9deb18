"""A stream's tracks as a programme."""

from dataclasses import replace

import pytest

from gateway.media.mpegts import AUDIO_ADTS, VIDEO_H264
from gateway.media.programme import read_programme, ticks
from tests.gateway.media_fixture import slices, stream


def test_picture_and_sound_are_carried() -> None:
    tracks = read_programme(stream().init).tracks
    assert [(track.pid, track.stream_type, track.language) for track in tracks] == [
        (0x100, VIDEO_H264, "und"),
        (0x101, AUDIO_ADTS, "deu"),
    ]


def test_sound_that_adts_cannot_say_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.media.programme.read_aac", lambda _: None)
    programme = read_programme(stream().init)
    assert [track.stream_type for track in programme.tracks] == [VIDEO_H264]
    assert {unit.track.pid for unit in programme.units({1: stream().of_track(1), 2: stream().of_track(2)}, 0)} == {
        0x100
    }


def test_the_key_frame_goes_first_and_the_others_by_their_time() -> None:
    programme = read_programme(stream().init)
    for piece in slices(stream()):
        tracks = {
            info.track: [part for part in piece.parts if part.track == info.track] for info in stream().init.tracks
        }
        units = programme.units(tracks, 0)
        assert units[0].track.pid == 0x100
        assert units[0].key == (piece.index == 0)
        times = [max(unit.dts, units[0].dts) for unit in units]
        assert times == sorted(times)


def test_times_are_exact_where_the_timescale_allows_and_rounded_elsewhere() -> None:
    lead = stream().init.lead
    assert ticks(12_800 * 60 * 60 * 100, replace(lead, timescale=12_800)) == 90_000 * 60 * 60 * 100
    assert [ticks(1024 * number, replace(lead, timescale=44_100)) for number in (0, 1, 2, 441)] == [
        0,
        2090,
        4180,
        921_600,
    ]
    assert ticks(-1024, replace(lead, timescale=48_000)) == -1920
