"""Playlists say what the standard asks for, and the library that others use reads the same from them."""

import m3u8
import pytest

from gateway.media.hls import (
    PartLine,
    Rhythm,
    SegmentLine,
    plan_rhythm,
    render_low_latency,
    render_plain,
)
from gateway.media.multivariant import Bandwidth, render_muxed_index, render_tracks_index
from gateway.media.parts import TrackInfo

RHYTHM = Rhythm(target_duration_s=1, part_target_s=0.22)
BANDWIDTH = Bandwidth(peak_bps=2_900_000, average_bps=2_500_000)
VIDEO = TrackInfo(track=1, kind="video", codec="avc1.64001F", timescale=12_800, width=1280, height=720)
GERMAN = TrackInfo(track=2, kind="audio", codec="mp4a.40.2", timescale=48_000, language="deu", channels=2)
OTHER = TrackInfo(track=3, kind="audio", codec="mp4a.40.2", timescale=48_000, channels=6)

KEY = PartLine(duration_s=0.2, independent=True, gap=False)
REST = PartLine(duration_s=0.2, independent=False, gap=False)
LOST = PartLine(duration_s=0.2, independent=True, gap=True)


def segment(
    msn: int,
    *,
    parts: tuple[PartLine, ...] = (KEY, REST, REST, REST, REST),
    epoch: int = 7,
    discontinuity: int = 3,
    complete: bool = True,
    gap: bool = False,
) -> SegmentLine:
    return SegmentLine(
        msn=msn,
        epoch=epoch,
        discontinuity=discontinuity,
        date_us=1_800_000_000_123_456 + msn * 1_000_000,
        duration_s=sum(part.duration_s for part in parts) or 1.0,
        parts=parts,
        complete=complete,
        gap=gap,
    )


def low_latency(*segments: SegmentLine, track: int | None = None, ended: bool = False) -> str:
    return render_low_latency(segments, rhythm=RHYTHM, track=track, hint=(12, 2), ended=ended)


@pytest.mark.parametrize(
    ("wished_s", "said"),
    [
        (0.0, "PART-HOLD-BACK=0.66,HOLD-BACK=3"),
        (0.5, "PART-HOLD-BACK=0.66,HOLD-BACK=3"),
        (1.2, "PART-HOLD-BACK=1.2,HOLD-BACK=3"),
        (6.5, "PART-HOLD-BACK=6.5,HOLD-BACK=6.5"),
    ],
)
def test_players_are_held_back_as_wished_and_never_less_than_the_standard_asks(wished_s: float, said: str) -> None:
    text = render_low_latency([segment(11)], rhythm=RHYTHM, track=None, hint=(12, 0), ended=False, hold_back_s=wished_s)
    assert text.splitlines()[3].endswith(said)


def test_a_low_latency_playlist_word_for_word() -> None:
    text = low_latency(segment(11), segment(12, parts=(KEY, LOST), complete=False))
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        "#EXT-X-TARGETDURATION:1",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6,PART-HOLD-BACK=0.66,HOLD-BACK=3",
        "#EXT-X-PART-INF:PART-TARGET=0.22",
        "#EXT-X-MEDIA-SEQUENCE:11",
        "#EXT-X-DISCONTINUITY-SEQUENCE:3",
        '#EXT-X-MAP:URI="init-7.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:11.123Z",
        '#EXT-X-PART:DURATION=0.2,URI="muxed/11.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.2,URI="muxed/11.1.m4s"',
        '#EXT-X-PART:DURATION=0.2,URI="muxed/11.2.m4s"',
        '#EXT-X-PART:DURATION=0.2,URI="muxed/11.3.m4s"',
        '#EXT-X-PART:DURATION=0.2,URI="muxed/11.4.m4s"',
        "#EXTINF:1.00000,",
        "muxed/11.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:12.123Z",
        '#EXT-X-PART:DURATION=0.2,URI="muxed/12.0.m4s",INDEPENDENT=YES',
        '#EXT-X-PART:DURATION=0.2,URI="muxed/12.1.m4s",GAP=YES',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="muxed/12.2.m4s"',
    ]


def test_a_track_has_its_own_init_segment_and_folder() -> None:
    text = low_latency(segment(11), segment(12, parts=(KEY,), complete=False), track=2)
    assert '#EXT-X-MAP:URI="init-7-2.mp4"' in text
    assert "\ntrack-2/11.m4s\n" in text
    assert 'URI="track-2/12.2.m4s"' in text
    assert "muxed" not in text


def test_parts_are_listed_near_the_end_only() -> None:
    text = low_latency(*(segment(msn) for msn in range(1, 12)), segment(12, parts=(KEY, REST), complete=False))
    with_parts = {line.split('"')[1].split(".")[0] for line in text.splitlines() if "EXT-X-PART:" in line}
    assert with_parts == {"muxed/10", "muxed/11", "muxed/12"} | {"muxed/9"}
    assert len(m3u8.loads(text).segments) == 12


def test_an_ended_playlist_announces_nothing() -> None:
    text = low_latency(segment(11), ended=True)
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "PRELOAD" not in text


def test_a_part_over_the_promise_is_understated() -> None:
    longer = PartLine(duration_s=0.24, independent=False, gap=False)
    text = low_latency(segment(11, parts=(KEY, longer)))
    assert '#EXT-X-PART:DURATION=0.22,URI="muxed/11.1.m4s"' in text
    assert "#EXTINF:0.44000," in text


def test_a_new_epoch_comes_with_discontinuity_and_map() -> None:
    text = low_latency(segment(11), segment(12, epoch=8, discontinuity=4, complete=False))
    lines = text.splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at + 1] == '#EXT-X-MAP:URI="init-8.mp4"'
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:3" in lines


def test_a_plain_playlist_has_whole_segments_and_nothing_new() -> None:
    text = render_plain([segment(10), segment(11, gap=True), segment(12)], target_duration_s=1)
    assert text.splitlines()[:3] == ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"]
    for tag in ("PART", "SERVER-CONTROL", "HOLD-BACK", "PRELOAD", "ENDLIST"):
        assert tag not in text
    parsed = m3u8.loads(text)
    assert [s.uri for s in parsed.segments] == ["muxed/10.m4s", "muxed/11.m4s", "muxed/12.m4s"]
    assert [s.gap_tag for s in parsed.segments] == [None, True, None]
    assert parsed.media_sequence == 10
    assert all(s.init_section.uri == "init-7.mp4" for s in parsed.segments)
    assert render_plain([segment(10)], target_duration_s=1, ended=True).endswith("#EXT-X-ENDLIST\n")


def test_the_muxed_index_has_one_exact_variant() -> None:
    text = render_muxed_index([VIDEO, GERMAN], bandwidth=BANDWIDTH, frame_rate=29.97003)
    (variant,) = m3u8.loads(text).playlists
    info = variant.stream_info
    assert variant.uri == "muxed.m3u8"
    assert (info.bandwidth, info.average_bandwidth) == (2_900_000, 2_500_000)
    assert (info.codecs, info.resolution, info.frame_rate) == ("avc1.64001F,mp4a.40.2", (1280, 720), 29.97)
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in text


def test_the_tracks_index_has_an_audio_group() -> None:
    parsed = m3u8.loads(render_tracks_index([VIDEO, GERMAN, OTHER], bandwidth=BANDWIDTH, frame_rate=25))
    (variant,) = parsed.playlists
    assert (variant.uri, variant.stream_info.audio) == ("track-1.m3u8", "audio")
    assert variant.stream_info.codecs == "avc1.64001F,mp4a.40.2"
    first, second = parsed.media
    assert (first.uri, first.language, first.default, first.autoselect) == ("track-2.m3u8", "deu", "YES", "YES")
    assert (first.channels, second.channels) == ("2", "6")
    assert (second.uri, second.language, second.default, second.name) == ("track-3.m3u8", None, "NO", "Audio 2")


def test_video_alone_and_audio_alone_have_no_group() -> None:
    for track, attributes in ((VIDEO, "RESOLUTION=1280x720"), (GERMAN, 'CODECS="mp4a.40.2"')):
        text = render_tracks_index([track], bandwidth=BANDWIDTH, frame_rate=0)
        assert "EXT-X-MEDIA:" not in text
        assert "AUDIO=" not in text
        assert "FRAME-RATE" not in text
        assert attributes in text
        assert text.endswith(f"\ntrack-{track.track}.m3u8\n")


@pytest.mark.parametrize(
    ("part_s", "segment_s", "longest_s", "target_s", "part_target_s"),
    [
        (0.2, 1.0, 0.2133, 1, 0.22),
        (0.2, 1.04, 0.2, 1, 0.22),
        (0.2, 1.2, 0.2, 2, 0.22),
        (0.25, 2.0, 0.3, 2, 0.3),
        (0.2, 0.5, 0.208333, 1, 0.22),
        (0.5, 2.0, 0.5005005, 2, 0.55),
    ],
)
def test_the_promise_covers_parts_and_segments(
    part_s: float, segment_s: float, longest_s: float, target_s: int, part_target_s: float
) -> None:
    rhythm = plan_rhythm(part_s, segment_s, longest_s)
    assert rhythm == Rhythm(target_duration_s=target_s, part_target_s=part_target_s)
    # rfc8216bis section 4.4.4.9: no part but a segment's last one is shorter than 85 %.
    assert part_s >= 0.85 * rhythm.part_target_s or longest_s > 1.1 * part_s


def test_limits_of_a_blocking_reload() -> None:
    assert RHYTHM.reload_timeout_s == 3
    assert RHYTHM.advance_parts == 14
    assert Rhythm(target_duration_s=4, part_target_s=1.0).advance_parts == 3


def listed(count: int) -> list[SegmentLine]:
    parts = (PartLine(duration_s=0.5, independent=True, gap=False),) * 2
    return [
        SegmentLine(
            msn=number, epoch=7, discontinuity=int(number > 3), date_us=number * 1_000_000, duration_s=1.0, parts=parts,
            complete=number < count - 1, gap=False,
        )
        for number in range(count)
    ]  # fmt: skip


def long_playlist(count: int, **chosen: object) -> str:
    rhythm = Rhythm(target_duration_s=1, part_target_s=0.55)
    values: dict[str, object] = {"rhythm": rhythm, "track": 1, "hint": (count, 0), "ended": False, **chosen}
    return render_low_latency(listed(count), **values)  # type: ignore[arg-type]


def test_a_delta_update_leaves_out_what_is_older_than_the_skip_boundary() -> None:
    full, delta = long_playlist(12), long_playlist(12, skip=True)
    head, _, rest = delta.partition("#EXT-X-SKIP:SKIPPED-SEGMENTS=6\n")
    assert full.startswith(head)
    assert full.endswith(rest)
    assert rest.startswith("#EXT-X-PROGRAM-DATE-TIME")
    assert rest.count("#EXTINF") == 5


def test_a_delta_update_keeps_a_discontinuity_behind_the_boundary() -> None:
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n#EXT-X-DISCONTINUITY\n" in long_playlist(10, skip=True)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_a_delta_update_with_nothing_to_leave_out_is_the_whole(count: int) -> None:
    assert long_playlist(count, skip=True) == long_playlist(count)


def test_the_other_tracks_are_reported_until_the_end() -> None:
    lines = long_playlist(3, siblings=[2, 5]).splitlines()
    assert lines[-2:] == [
        '#EXT-X-RENDITION-REPORT:URI="track-2.m3u8",LAST-MSN=2,LAST-PART=1',
        '#EXT-X-RENDITION-REPORT:URI="track-5.m3u8",LAST-MSN=2,LAST-PART=1',
    ]
    assert "REPORT" not in long_playlist(3, siblings=[2], ended=True)
