"""A window's MPEG-TS: written once, shared, true in time, and what ffmpeg decodes without a word."""

import gc
import json
import subprocess
import weakref
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.live import LiveWindow, transport
from gateway.live.transport import KEPT, LISTED, TransportStream, TransportStreams
from gateway.media.elementary import AVC_UNITS, START_CODE
from gateway.media.errors import CodecError
from gateway.media.mpegts import TIMES, Packetizer
from gateway.media.parts import Part
from gateway.media.payload import PieceSlice
from tests.conftest import need_ffprobe
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, encode, feed, live, slices, split, stream
from tests.gateway.transport_reader import check_counters, read_packets, read_pes, read_start

VIDEO, AUDIO = 0x100, 0x101
SECOND = 90_000


def opened(seconds: float = 8, *, window_s: float = 24.0) -> LiveWindow:
    window = LiveWindow(window_s)
    window.set_description(7, stream(seconds=seconds).description)
    return window


def written(window: LiveWindow, made: TransportStream, first_msn: int = 0) -> bytes:
    places = [(s.msn, index) for s in window.kept() if s.msn >= first_msn for index in range(len(s.slots))]
    return b"".join(made.part(*place) for place in places)


def follow(window: LiveWindow, segment_s: float = 2.0) -> TransportStream:
    made = TransportStream(segment_s)
    made.follow(window)
    return made


def video_times(data: bytes) -> list[int]:
    return [pes.dts for pes in read_pes(read_packets(data), VIDEO)]


def probe(data: bytes, folder: Path) -> list[dict[str, str]]:
    """Frames as ffprobe decodes them; fails when it complains of anything."""
    path = folder / "probed.ts"
    path.write_bytes(data)
    entries = "frame=media_type,pts,key_frame"
    command = [need_ffprobe(), "-v", "warning", "-of", "json", "-show_entries", entries, str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert not result.stderr
    frames: list[dict[str, str]] = json.loads(result.stdout)["frames"]
    return frames


def moved(pieces: Sequence[PieceSlice], *, by_s: float, segment: int, discontinuity: int) -> list[PieceSlice]:
    """The same media at another time, as a broadcaster that starts anew sends it. Only the window's table is moved."""
    timescales = {info.track: info.timescale for info in stream().init.tracks}

    def move(part: Part) -> Part:
        return shift_part(part, round(by_s * timescales[part.track]))

    return [
        replace(
            piece,
            segment=piece.segment + segment,
            discontinuity=discontinuity,
            parts=tuple(move(part) for part in piece.parts),
        )
        for piece in pieces
    ]


def shift_part(part: Part, by: int) -> Part:
    """The part with another decode time, in its `tfdt` too."""
    data = bytearray(part.data)
    at = data.index(b"tfdt") + 4
    assert data[at] == 1
    data[at + 4 : at + 12] = ((part.decode_time + by) % (1 << 64)).to_bytes(8, "big")
    return replace(part, decode_time=part.decode_time + by, data=bytes(data))


def test_ffmpeg_decodes_every_frame_without_a_word(tmp_path: Path) -> None:
    window = live(4)
    frames = probe(written(window, follow(window)), tmp_path)
    pictures = [frame for frame in frames if frame["media_type"] == "video"]
    assert len(pictures) == 100
    assert [number for number, frame in enumerate(pictures) if frame["key_frame"]] == [0, 25, 50, 75]
    assert {after["pts"] - before["pts"] for before, after in pairwise(map(_numbers, pictures))} == {3600}
    assert sum(frame["media_type"] == "audio" for frame in frames) >= 185


def _numbers(frame: dict[str, str]) -> dict[str, int]:
    return {"pts": int(frame["pts"])}


def test_pictures_that_are_reordered_are_decoded_before_they_are_shown(tmp_path: Path) -> None:
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-sc_threshold", "0")
    source = split(encode(seconds=4, video=coding))
    window = LiveWindow()
    window.set_description(7, source.description)
    feed(window, slices(source))
    data = written(window, follow(window))
    pictures = read_pes(read_packets(data), VIDEO)
    assert all(picture.pts >= picture.dts for picture in pictures)
    assert any(picture.pts > picture.dts for picture in pictures)
    assert {after.dts - before.dts for before, after in pairwise(pictures)} == {3600}
    assert min(picture.pts for picture in pictures) == 10 * SECOND + transport.ORIGIN
    assert len([frame for frame in probe(data, tmp_path) if frame["media_type"] == "video"]) == 100


def test_every_key_frame_is_a_place_to_begin(tmp_path: Path) -> None:
    window = live(4)
    made = follow(window)
    for msn in range(100, 104):
        data = written(window, made, msn)
        packets = read_packets(data)
        assert [packet.pid for packet in packets[:2]] == [0x0000, 0x1000]
        first = next(packet for packet in packets if packet.pid == VIDEO)
        assert first.random_access
        assert read_pes(packets, VIDEO)[0].data.startswith(START_CODE + AVC_UNITS.delimiter_data + b"\0\0\0\1\x67")
        assert len([frame for frame in probe(data, tmp_path) if frame["media_type"] == "video"]) == 25 * (104 - msn)


def test_time_stamps_are_those_of_the_media() -> None:
    window = live(4)
    packets = read_packets(written(window, follow(window)))
    check_counters(packets)
    lead = stream().init.lead
    start = stream().of_track(lead.track)[0].decode_time * SECOND // lead.timescale
    times = [pes.dts for pes in read_pes(packets, VIDEO)]
    assert times == [start + transport.ORIGIN + 3600 * number for number in range(100)]
    clocks = [packet.clock for packet in packets if packet.clock is not None]
    assert clocks == sorted(clocks)
    assert len(clocks) == 100


def test_sound_is_never_behind_the_clock() -> None:
    window = live(4)
    clock = 0
    for packet in read_packets(written(window, follow(window))):
        clock = packet.clock or clock
        if packet.pid == AUDIO and packet.start:
            assert read_start(packet) >= clock > 0


def test_all_players_share_what_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    write = Packetizer.write

    def count(*args: object, **kwargs: object) -> bytes:
        calls.append(1)
        return write(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Packetizer, "write", count)
    window, streams = opened(), TransportStreams(2.0)
    pieces = slices(stream(seconds=8))
    for number, _ in enumerate(pieces):
        feed(window, pieces, numbers=[1000 + number])
        first, second = streams.of(window), streams.of(window)
        msn, index = 100 + number // 5, number % 5
        assert first.part(msn, index) is second.part(msn, index)
        assert first.part(msn, index)
    assert len(calls) == len(pieces) == 40
    shared = {id(data) for data in streams.of(window).segment(100)}
    assert shared == {id(streams.of(window).part(msn, index)) for msn in (100, 101) for index in range(5)}


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_however_often_it_is_asked_the_bytes_are_the_same(steps: list[int]) -> None:
    window, pieces = opened(4), slices(stream(seconds=4))
    made, at = TransportStream(2.0), 0
    made.follow(window)
    for step in steps:
        feed(window, pieces, numbers=range(1000 + at, min(1000 + at + step, 1020)))
        at = min(at + step, 20)
        made.follow(window)
    data = written(window, made)
    whole = opened(4)
    feed(whole, pieces, numbers=range(1000, 1000 + at))
    assert data == written(whole, follow(whole))


def test_a_later_player_begins_some_groups_back() -> None:
    window = live(12)
    made = follow(window, 2.0)
    assert [line.number for line in made.lines()] == [105, 106, 107]
    assert made.part(104, 4) == b""
    assert made.part(105, 0)


def test_segments_are_groups_that_follow_each_other(tmp_path: Path) -> None:
    window, made = opened(20, window_s=60), TransportStream(2.0)
    feed(window, slices(stream(seconds=20)), numbers=[1000])
    data = b""
    for number in range(1, 100):
        feed(window, slices(stream(seconds=20)), numbers=[1000 + number])
        made.follow(window)
        lines = made.lines()
        assert len(lines) <= LISTED
        if lines and (fresh := b"".join(made.segment(lines[-1].number))) != data[-len(fresh) :]:
            data += fresh
    window.end()
    made.follow(window)
    assert [line.duration_s for line in made.lines()] == [pytest.approx(2.0)] * 6
    check_counters(read_packets(data))
    assert {after - before for before, after in pairwise(video_times(data))} == {3600}
    assert not made.segment(104 + 9)
    for line in made.lines():
        frames = probe(b"".join(made.segment(line.number)), tmp_path)
        assert len([frame for frame in frames if frame["media_type"] == "video"]) == 50


@pytest.mark.parametrize(("segment_s", "length_s"), [(1.0, 1.0), (2.5, 3.0), (4.0, 4.0), (6.0, 6.0)])
def test_groups_are_as_long_as_they_should_be(segment_s: float, length_s: float) -> None:
    window = live(20, window_s=60)
    made = follow(window, segment_s)
    durations = [line.duration_s for line in made.lines()]
    assert durations
    assert durations == [pytest.approx(length_s)] * len(durations)
    assert made.target_duration_s(window) == round(length_s)


def test_a_lost_piece_leaves_its_time() -> None:
    window, pieces = opened(4), slices(stream(seconds=4))
    feed(window, pieces, numbers=[*range(1000, 1007), *range(1009, 1020)])
    window.lose_piece(1007)
    window.lose_piece(1008)
    data = written(window, follow(window))
    check_counters(read_packets(data))
    steps = [after - before for before, after in pairwise(video_times(data))]
    assert steps.count(3600) == len(steps) - 1
    assert max(steps) == 11 * 3600


@pytest.mark.parametrize("by_s", [-8.0, 0.0, 100_000.0])
def test_a_new_epoch_goes_on_as_the_capture_clock_does(by_s: float) -> None:
    window, pieces = opened(4), slices(stream(seconds=4))
    feed(window, pieces)
    made = follow(window)
    window.set_description(8, stream(seconds=4).description)
    later_us = CAPTURE_US + len(pieces) * PIECE_US + 3_000_000
    again = moved(pieces, by_s=by_s, segment=4, discontinuity=1)
    feed(window, again, first=1020, epoch=8, capture_us=later_us)
    made.follow(window)
    data = written(window, made)
    check_counters(read_packets(data))
    steps = [after - before for before, after in pairwise(video_times(data))]
    assert [step for step in steps if step != 3600] == [3 * SECOND + 3600]
    assert [line.discontinuity for line in made.lines()] == [0, 0, 1]


def test_time_never_goes_back_even_if_the_capture_clock_does() -> None:
    window, pieces = opened(4), slices(stream(seconds=4))
    feed(window, pieces)
    window.set_description(8, stream(seconds=4).description)
    again = moved(pieces, by_s=0, segment=4, discontinuity=1)
    feed(window, again, first=1020, epoch=8, capture_us=CAPTURE_US)
    times = video_times(written(window, follow(window)))
    assert times == sorted(set(times))


def test_time_stamps_wrap_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    start = stream().of_track(1)[0].decode_time / stream().init.lead.timescale
    wrap_s = TIMES / SECOND - start - transport.ORIGIN / SECOND - 2.0
    window = opened(4)
    feed(window, moved(slices(stream(seconds=4)), by_s=wrap_s, segment=0, discontinuity=0))
    data = written(window, follow(window))
    times = video_times(data)
    assert max(times) > TIMES - 2 * 3600
    assert min(times) < 2 * 3600
    assert {(after - before) % TIMES for before, after in pairwise(times)} == {3600}
    frames = [frame for frame in probe(data, tmp_path) if frame["media_type"] == "video"]
    assert len(frames) == 100


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    window, pieces = opened(20, window_s=60), slices(stream(seconds=20))
    made = TransportStream(1.0)
    for number in range(100):
        feed(window, pieces, numbers=[1000 + number])
        made.follow(window)
    kept = [msn for msn in range(100, 120) if made.part(msn, 0)]
    assert kept == list(range(119 - KEPT, 120))
    monkeypatch.setattr(transport, "KEPT_BYTES_MAX", 1)
    made.follow(window)
    assert [msn for msn in range(100, 120) if made.part(msn, 0)] == [118, 119]


def test_after_a_long_pause_it_begins_anew_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSE_S", 5.0)
    window, pieces = opened(20, window_s=60), slices(stream(seconds=20))
    feed(window, pieces, numbers=range(1000, 1016))
    made = follow(window)
    before = [line.number for line in made.lines()]
    feed(window, pieces, numbers=range(1016, 1100))
    made.follow(window)
    assert made.lines()[0].number > max(before)
    assert not made.part(104, 0)
    assert video_times(written(window, made, 119))[0] == transport.ORIGIN + 10 * SECOND + 19 * SECOND


def test_a_part_that_is_broken_inside_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    window, pieces = opened(4), slices(stream(seconds=4))
    part = pieces[2].parts[0]
    data = bytearray(part.data)
    at = data.index(b"mdat") + 4
    data[at : at + 4] = b"\xff\xff\xff\xff"
    pieces[2] = replace(pieces[2], parts=(replace(part, data=bytes(data)), *pieces[2].parts[1:]))
    feed(window, pieces)
    made = follow(window)
    assert made.part(100, 2) == b""
    assert made.part(100, 3)
    check_counters(read_packets(written(window, made)))
    assert "100.2" in caplog.text


def test_another_codec_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise CodecError("H.265")

    monkeypatch.setattr("gateway.media.programme.read_picture", refuse)
    with pytest.raises(CodecError):
        TransportStreams(2.0).of(live(4))


def test_a_window_that_is_gone_takes_its_stream_along() -> None:
    window, streams = live(4), TransportStreams(2.0)
    made = weakref.ref(streams.of(window))
    assert made() is not None
    del window
    gc.collect()
    assert made() is None
