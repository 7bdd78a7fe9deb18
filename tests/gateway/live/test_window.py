"""The window between swarm and players, fed with real media in explicit order."""

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

import m3u8
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.live import LiveWindow
from gateway.live.order import PATIENCE_S
from gateway.media.errors import MediaError
from gateway.media.parts import Part
from gateway.media.payload import PieceSlice, pack, unpack
from tests.gateway.media_fixture import CAPTURE_US, encode, feed, live, probe_packets, slices, stream

LONG_S = 60.0


def fresh() -> LiveWindow:
    window = LiveWindow()
    window.set_description(7, stream().description)
    return window


def text(window: LiveWindow, track: int | None = None) -> str:
    return window.playlist(track).decode()


def part_lines(window: LiveWindow) -> list[str]:
    return [line for line in text(window).splitlines() if line.startswith("#EXT-X-PART:")]


def test_a_stream_becomes_a_playlist_that_others_can_read() -> None:
    parsed = m3u8.loads(text(live()))
    assert parsed.media_sequence == 100
    assert parsed.target_duration == 1
    assert [segment.uri for segment in parsed.segments if segment.uri] == [f"muxed/{n}.m4s" for n in (100, 101, 102)]
    assert [segment.duration for segment in parsed.segments if segment.uri] == [1.0, 1.0, 1.0]
    assert [len(segment.parts) for segment in parsed.segments] == [0, 5, 5, 5]
    dates = [segment.program_date_time.timestamp() for segment in parsed.segments[:3]]
    assert dates == [CAPTURE_US / 1e6 + n for n in range(3)]
    assert parsed.server_control.can_block_reload == "YES"
    assert parsed.server_control.part_hold_back >= 3 * parsed.part_inf.part_target
    assert parsed.preload_hint.uri == "muxed/104.0.m4s"


@pytest.mark.parametrize("track", [None, 1, 2])
def test_no_part_is_longer_than_promised_nor_shorter_than_allowed(track: int | None) -> None:
    parsed = m3u8.loads(text(live(), track))
    for segment in parsed.segments:
        for part in segment.parts[:-1]:
            assert 0.85 * parsed.part_inf.part_target <= part.duration <= parsed.part_inf.part_target


def test_segments_play_like_the_stream_from_which_they_came(tmp_path: Path) -> None:
    window = live()
    window.end()
    media = [window.init(7, None), *(b"".join(window.segment(msn, None)) for msn in range(100, 104))]
    assert probe_packets(b"".join(filter(None, media)), tmp_path) == probe_packets(encode(), tmp_path)


@pytest.mark.parametrize(("track", "kind"), [(1, "video"), (2, "audio")])
def test_parts_of_a_track_play_like_the_stream_from_which_they_came(track: int, kind: str, tmp_path: Path) -> None:
    window = live()
    media = [window.init(7, track)]
    media += [b"".join(window.part(100 + n // 5, n % 5, track)) for n in range(20)]
    played = probe_packets(b"".join(filter(None, media)), tmp_path)
    assert played == {kind: probe_packets(encode(), tmp_path)[kind]}


def test_a_segment_is_its_parts_one_after_the_other() -> None:
    window = live()
    for track in (None, 1, 2):
        parts = b"".join(b"".join(window.part(101, index, track)) for index in range(5))
        assert b"".join(window.segment(101, track)) == parts


@settings(max_examples=25)
@given(st.permutations(range(1001, 1012)))
def test_the_order_of_arrival_does_not_matter(numbers: list[int]) -> None:
    straight, shuffled = fresh(), fresh()
    pieces = slices(stream())
    feed(straight, pieces, numbers=range(1000, 1012))
    feed(shuffled, pieces, numbers=[1000, *numbers])
    assert text(shuffled) == text(straight)


def test_pieces_that_went_through_the_swarm_give_the_same() -> None:
    window, pieces = fresh(), slices(stream())
    feed(window, [unpack(pack(piece)) for piece in pieces])
    assert text(window) == text(live())
    assert b"".join(window.segment(100, None)) == b"".join(live().segment(100, None))


def test_a_missing_piece_holds_back_those_behind_it_until_it_comes() -> None:
    window, pieces = fresh(), slices(stream())
    feed(window, pieces, numbers=[1000, 1002, 1003])
    assert len(part_lines(window)) == 1
    feed(window, pieces, numbers=[1001])
    assert len(part_lines(window)) == 4
    assert "GAP" not in text(window)


def test_a_lost_piece_is_a_gap_and_the_segment_keeps_the_rest() -> None:
    window, pieces = fresh(), slices(stream())
    feed(window, pieces, numbers=[1000, 1002, 1003, 1004, 1005])
    window.lose_piece(1001)
    assert part_lines(window)[1] == '#EXT-X-PART:DURATION=0.2,URI="muxed/100.1.m4s",GAP=YES'
    assert text(window).count("GAP=YES") == 1
    assert "#EXTINF:1.00000,\nmuxed/100.m4s" in text(window)
    assert window.part(100, 1, None) == ()
    whole = b"".join(window.segment(100, None))
    assert whole == b"".join(b"".join(window.part(100, index, None)) for index in (0, 2, 3, 4))


def test_times_stay_true_behind_a_gap(tmp_path: Path) -> None:
    window, pieces = fresh(), slices(stream())
    feed(window, pieces, numbers=[n for n in range(1000, 1020) if n != 1006])
    window.lose_piece(1006)
    window.end()
    media = [window.init(7, None), *(b"".join(window.segment(msn, None)) for msn in range(100, 104))]
    played = probe_packets(b"".join(filter(None, media)), tmp_path)["video"]
    source = probe_packets(encode(), tmp_path)["video"]
    assert played == source[:30] + source[35:]


def test_a_missing_piece_of_which_nobody_speaks_is_waited_for_no_longer_than_patience() -> None:
    now = 50.0
    window = LiveWindow(clock=lambda: now)
    window.set_description(7, stream().description)
    feed(window, slices(stream()), numbers=[1000, 1002])
    assert len(part_lines(window)) == 1
    now += PATIENCE_S
    feed(window, slices(stream()), numbers=[1003])
    assert len(part_lines(window)) == 4


def test_a_new_epoch_is_a_discontinuity_with_its_own_init_segment() -> None:
    window = live()
    other = stream(size="160x90")
    feed(window, slices(other, segment=104, discontinuity=1), first=1020, epoch=9)
    assert "DISCONTINUITY\n" not in text(window)
    window.set_description(9, other.description)
    lines = text(window).splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at - 1] == "muxed/103.m4s"
    assert lines[at + 1] == '#EXT-X-MAP:URI="init-9.mp4"'
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert window.init(9, None) == other.init.data
    assert "RESOLUTION=160x90" in window.index().decode()


def test_the_discontinuity_sequence_counts_what_left_the_playlist() -> None:
    window = LiveWindow(3.0)
    window.set_description(7, stream().description)
    feed(window, slices(stream(), discontinuity=4))
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:4\n" in text(window)
    window.set_description(8, stream().description)
    feed(window, slices(stream(), segment=104, discontinuity=5), first=1020, epoch=8)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:5\n" in text(window)
    assert "#EXT-X-DISCONTINUITY\n" not in text(window)


def test_promises_never_shrink_in_a_later_epoch() -> None:
    window = live()
    before = window.rhythm
    window.set_description(8, replace(stream().description, part_target_s=0.1, segment_target_s=3.0))
    feed(window, slices(stream(), segment=104), first=1020, epoch=8)
    assert window.rhythm.target_duration_s == 3
    assert window.rhythm.part_target_s == before.part_target_s


def test_the_indexes_tell_what_ffprobe_tells() -> None:
    parsed = m3u8.loads(live().index().decode())
    info = parsed.playlists[0].stream_info
    assert (info.resolution, info.frame_rate) == ((320, 180), 25.0)
    assert info.codecs == ",".join(track.codec for track in stream().init.tracks)
    assert info.average_bandwidth <= info.bandwidth
    tracks = m3u8.loads(live().tracks_index().decode())
    assert (tracks.media[0].language, tracks.media[0].channels) == ("deu", "1")


def test_the_plain_playlist_lists_the_last_whole_segments() -> None:
    window = LiveWindow()
    window.set_description(7, stream(seconds=8).description)
    feed(window, slices(stream(seconds=8)))
    parsed = m3u8.loads(window.plain_playlist().decode())
    assert [segment.uri for segment in parsed.segments] == [f"muxed/{n}.m4s" for n in range(101, 107)]
    assert not any(segment.parts for segment in parsed.segments)


def test_all_who_ask_get_the_same_bytes_until_something_changes() -> None:
    window = fresh()
    feed(window, slices(stream()), numbers=range(1000, 1010))
    first = window.playlist(None)
    assert window.playlist(None) is first
    feed(window, slices(stream()), numbers=[1012])
    assert window.playlist(None) is first
    feed(window, slices(stream()), numbers=[1010])
    assert window.playlist(None) is not first


def test_fifty_players_wait_and_wake_together() -> None:
    async def main() -> None:
        window, pieces = fresh(), slices(stream())
        feed(window, pieces, numbers=[1000])
        tasks = [asyncio.create_task(window.wait_for(100, 1, LONG_S)) for _ in range(50)]
        whole = asyncio.create_task(window.wait_for(100, None, LONG_S))
        await asyncio.sleep(0)
        feed(window, pieces, numbers=[1001])
        assert all(await asyncio.gather(*tasks))
        assert not whole.done()
        feed(window, pieces, numbers=range(1002, 1006))
        assert await whole

    asyncio.run(main())


def test_asking_for_a_part_past_a_segment_s_end_means_the_next_segment() -> None:
    async def main() -> None:
        window, pieces = fresh(), slices(stream())
        feed(window, pieces, numbers=range(1000, 1005))
        task = asyncio.create_task(window.wait_for(100, 5, LONG_S))
        await asyncio.sleep(0)
        assert not task.done()
        feed(window, pieces, numbers=[1005])
        assert await task

    asyncio.run(main())


def test_after_a_stall_it_goes_on() -> None:
    async def main() -> None:
        window, pieces = fresh(), slices(stream())
        feed(window, pieces, numbers=range(1000, 1007))
        before = window.playlist(None)
        assert not await window.wait_for(101, 2, 0.01)
        assert window.playlist(None) is before
        feed(window, pieces, numbers=[1007])
        assert await window.wait_for(101, 2, LONG_S)

    asyncio.run(main())


def test_too_far_ahead_is_told_from_what_is_worth_waiting_for() -> None:
    window = fresh()
    feed(window, slices(stream()), numbers=range(1000, 1007))
    ahead = window.rhythm.advance_parts
    assert not window.is_beyond(102, None)
    assert window.is_beyond(103, None)
    assert not window.is_beyond(101, 1 + ahead)
    assert window.is_beyond(101, 2 + ahead)
    assert not window.is_beyond(5, 99)
    window.end()
    assert not window.is_beyond(500, None)


def test_the_end_is_told_and_nobody_waits_for_more() -> None:
    async def main() -> None:
        window = live()
        task = asyncio.create_task(window.wait_for(104, 0, LONG_S))
        await asyncio.sleep(0)
        window.end()
        assert not await task
        assert text(window).endswith("muxed/103.m4s\n#EXT-X-ENDLIST\n")
        assert not await window.wait_for(104, 0, LONG_S)
        feed(window, slices(stream(), segment=104), first=1020)
        assert text(window).endswith("muxed/103.m4s\n#EXT-X-ENDLIST\n")

    asyncio.run(main())


def test_a_broadcast_that_ended_can_begin_again() -> None:
    window = live()
    window.end()
    window.set_description(7, stream().description)
    assert "ENDLIST" in text(window)
    window.set_description(8, stream().description)
    feed(window, slices(stream(), segment=900, discontinuity=1), first=9000, epoch=8)
    assert "ENDLIST" not in text(window)
    assert window.hint == (108, 0)


def test_closing_lets_all_go() -> None:
    async def main() -> None:
        window = LiveWindow()
        task = asyncio.create_task(window.wait_open(LONG_S))
        await asyncio.sleep(0)
        window.close()
        assert not await task
        assert not await window.wait_open(LONG_S)
        assert not window.is_open

    asyncio.run(main())


def test_damaged_pieces_are_refused_and_change_nothing() -> None:
    window, pieces = fresh(), slices(stream())
    feed(window, pieces, numbers=range(1000, 1003))
    before = window.playlist(None)
    part = pieces[3].parts[0]
    broken = [
        replace(pieces[3], parts=(replace(part, data=part.data[:-1]),)),
        replace(pieces[3], parts=(replace(part, track=2),)),
        replace(pieces[3], index=60_000),
    ]
    for content in broken:
        with pytest.raises(MediaError):
            window.add_piece(1003, 7, CAPTURE_US, 200_000, content)
    with pytest.raises(MediaError, match="impossible time"):
        window.add_piece(1003, 7, 2**62, 200_000, pieces[3])
    assert window.playlist(None) is before
    window.lose_piece(1003)
    feed(window, pieces, numbers=[1004])
    assert "GAP=YES" in text(window)


def test_a_description_that_hls_cannot_carry_is_refused_and_blocks_no_later_epoch() -> None:
    window = live()
    with pytest.raises(MediaError):
        window.set_description(8, replace(stream().description, init=b""))
    feed(window, slices(stream(), segment=104), first=1020, epoch=8)
    window.set_description(9, stream().description)
    feed(window, slices(stream(), segment=200), first=2000, epoch=9)
    assert window.hint == (108, 0)


def test_tracks_that_nobody_described_are_left_out() -> None:
    window = fresh()
    alone = stream(sound=False)
    window.set_description(8, alone.description)
    feed(window, slices(stream()), epoch=8)
    assert [track.track for track in window.tracks] == [1]
    assert window.part(100, 0, 2) == ()
    assert window.init(8, 2) is None


@settings(max_examples=30)
@given(lost=st.sets(st.integers(1000, 1019), max_size=19), seed=st.randoms(use_true_random=False))
def test_whatever_is_lost_the_playlist_is_whole_and_its_media_is_there(lost: set[int], seed: Random) -> None:
    window, pieces = fresh(), slices(stream())
    numbers = [number for number in range(1000, 1020) if number not in lost]
    feed(window, pieces, numbers=numbers)
    for number in seed.sample(sorted(lost), len(lost)):
        window.lose_piece(number)
    if not window.is_open:
        assert lost >= {1000, 1005, 1010, 1015}
        return
    parsed = m3u8.loads(text(window))
    for msn, segment in enumerate(parsed.segments, parsed.media_sequence):
        here = b"".join(window.segment(msn, None))
        assert bool(here) == bool(segment.uri and not segment.gap_tag)
        for index, part in enumerate(segment.parts):
            assert part.uri == f"muxed/{msn}.{index}.m4s"
            assert bool(window.part(msn, index, None)) == (part.gap != "YES")


def test_a_piece_in_two_audio_parts_adds_them_up() -> None:
    first, second = slices(stream())[:2]
    audio = [part for part in second.parts if part.track == 2]
    both = PieceSlice(segment=100, index=0, discontinuity=0, parts=(*first.parts, *audio))
    window = fresh()
    window.add_piece(1000, 7, CAPTURE_US, 200_000, both)
    expected = sum(part.duration for part in both.parts if part.track == 2)
    assert isinstance(both.parts[-1], Part)
    shown_s = m3u8.loads(text(window, 2)).segments[0].parts[0].duration
    assert shown_s == pytest.approx(min(expected / 48_000, window.rhythm.part_target_s), abs=1e-4)


def test_longer_segments_than_announced_may_be_announced_later_and_shorter_ones_not() -> None:
    window = live()
    window.set_description(7, replace(stream().description, segment_target_s=4.0))
    assert m3u8.loads(text(window)).target_duration == 4
    window.set_description(7, replace(stream().description, segment_target_s=2.0))
    assert m3u8.loads(text(window)).target_duration == 4
