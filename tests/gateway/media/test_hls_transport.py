"""The playlist of MPEG-TS segments."""

import m3u8

from gateway.media.hls_transport import TransportLine, render_transport


def line(number: int, discontinuity: int = 0) -> TransportLine:
    return TransportLine(number=number, discontinuity=discontinuity, date_us=1_800_000_000_000_000, duration_s=2.0)


def test_a_playlist_has_nothing_that_version_three_does_not_know() -> None:
    text = render_transport([line(7), line(8)], target_duration_s=2, ended=False)
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXT-X-DISCONTINUITY-SEQUENCE:0",
        "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00.000Z",
        "#EXTINF:2.00000,",
        "ts/7.ts",
        "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00.000Z",
        "#EXTINF:2.00000,",
        "ts/8.ts",
    ]


def test_discontinuities_and_the_end_are_said() -> None:
    parsed = m3u8.loads(render_transport([line(7, 3), line(8, 4), line(9, 4)], target_duration_s=2, ended=True))
    assert parsed.discontinuity_sequence == 3
    assert [segment.discontinuity for segment in parsed.segments] == [False, True, False]
    assert parsed.is_endlist
