"""MPDs as text: what stands where, and that nothing of a broadcaster's gets out of its place."""

from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.dash import (
    LATENCY_LEAST_S,
    Grid,
    Period,
    Presentation,
    Track,
    moment,
    plan_latency,
    render_mpd,
)
from gateway.media.parts import TrackInfo

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}
START_US = 1_800_000_000_000_000
VIDEO = TrackInfo(track=1, kind="video", codec="avc1.64001F", timescale=12_800, width=1280, height=720)
AUDIO = TrackInfo(
    track=2, kind="audio", codec="mp4a.40.2", timescale=48_000, language="deu", channels=2, sample_rate=48_000
)


def track(info: TrackInfo, **chosen: object) -> Track:
    values: dict[str, object] = {
        "epoch": 7,
        "discontinuity": 3,
        "offset": 25_600,
        "capture_us": START_US + 2_000_000,
        "captured": 25_600,
        "bandwidth_bps": 500_000,
        "grid": Grid(first=90, step=12_800, timescale=12_800),
    }
    return Track(info=info, **{**values, **chosen})  # type: ignore[arg-type]


def presentation(*tracks: Track, **chosen: object) -> Presentation:
    values: dict[str, object] = {
        "start_us": START_US,
        "published_us": START_US + 9_000_000,
        "part_target_s": 0.22,
        "target_duration_s": 1,
        "window_s": 30.0,
        "latency_s": 1.5,
        "periods": (Period(name="3-90", start_us=2_500_000, duration_us=None, tracks=tracks),),
    }
    return Presentation(**{**values, **chosen})  # type: ignore[arg-type]


def parsed(shown: Presentation) -> ET.Element:
    return ET.fromstring(render_mpd(shown))


def found(mpd: ET.Element, path: str) -> ET.Element:
    element = mpd.find(path, NS)
    assert element is not None
    return element


def test_a_live_mpd_says_when_and_how_far_behind() -> None:
    mpd = parsed(presentation(track(VIDEO), track(AUDIO)))
    assert {name: mpd.attrib[name] for name in ("type", "availabilityStartTime", "publishTime")} == {
        "type": "dynamic",
        "availabilityStartTime": "2027-01-15T08:00:00.000Z",
        "publishTime": "2027-01-15T08:00:09.000Z",
    }
    assert mpd.attrib["minimumUpdatePeriod"] == "PT1S"
    assert mpd.attrib["timeShiftBufferDepth"] == "PT30S"
    assert mpd.attrib["suggestedPresentationDelay"] == "PT1.5S"
    assert found(mpd, "d:ServiceDescription/d:Latency").attrib["target"] == "1500"
    assert float(found(mpd, "d:ServiceDescription/d:PlaybackRate").attrib["max"]) > 1
    assert found(mpd, "d:UTCTiming").attrib == {"schemeIdUri": "urn:mpeg:dash:utc:http-iso:2014", "value": "time"}
    assert found(mpd, "d:Period").attrib == {"id": "3-90", "start": "PT2.5S"}


def test_a_grid_is_a_numbered_template_that_may_be_asked_for_early() -> None:
    template = found(parsed(presentation(track(VIDEO))), ".//d:SegmentTemplate")
    assert template.attrib == {
        "timescale": "12800",
        "initialization": "init-7-1.mp4",
        "media": "chunked-3-1/$Number$.m4s",
        "presentationTimeOffset": "25600",
        "startNumber": "90",
        "duration": "12800",
        "availabilityTimeOffset": "0.780",
        "availabilityTimeComplete": "false",
    }


def test_tracks_say_what_they_are() -> None:
    mpd = parsed(
        presentation(track(VIDEO, frame_rate=Fraction(30_000, 1001)), track(AUDIO), track(replace(AUDIO, track=3)))
    )
    video, audio, other = mpd.findall(".//d:AdaptationSet", NS)
    assert found(video, "d:Representation").attrib == {
        "id": "1", "codecs": "avc1.64001F", "bandwidth": "500000", "width": "1280", "height": "720",
        "frameRate": "30000/1001",
    }  # fmt: skip
    assert audio.attrib["lang"] == "deu"
    assert found(audio, "d:Representation").attrib["audioSamplingRate"] == "48000"
    assert found(audio, ".//d:AudioChannelConfiguration").attrib["value"] == "2"
    assert [found(each, "d:Role").attrib["value"] for each in (video, audio, other)] == ["main", "main", "alternate"]
    reference = found(audio, "d:ProducerReferenceTime")
    assert reference.attrib["wallClockTime"] == "2027-01-15T08:00:02.000Z"
    assert reference.attrib["presentationTime"] == "25600"


def test_a_timeline_says_starts_where_they_do_not_follow() -> None:
    entries = ((0, 10), (10, 10), (20, 10), (30, 5), (50, 5), (55, 5))
    mpd = parsed(presentation(track(VIDEO, grid=None, entries=entries)))
    assert [s.attrib for s in mpd.findall(".//d:S", NS)] == [
        {"t": "0", "d": "10", "r": "2"},
        {"d": "5"},
        {"t": "50", "d": "5", "r": "1"},
    ]
    assert found(mpd, ".//d:SegmentTemplate").attrib["media"] == "chunked-3-1/t$Time$.m4s"
    assert mpd.attrib["minimumUpdatePeriod"] == "PT0.5S"


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=30))
def test_a_timeline_read_back_is_what_was_written(steps: list[tuple[int, int]]) -> None:
    entries, at = [], 0
    for length, hole in steps:
        entries.append((at + hole, length))
        at += hole + length
    read: list[tuple[int, int]] = []
    at = 0
    for s in parsed(presentation(track(VIDEO, grid=None, entries=tuple(entries)))).findall(".//d:S", NS):
        at = int(s.get("t", at))
        for _ in range(int(s.get("r", "0")) + 1):
            read.append((at, int(s.attrib["d"])))
            at += int(s.attrib["d"])
    assert read == entries


def test_what_has_ended_is_static_and_has_a_length() -> None:
    mpd = parsed(presentation(track(VIDEO), end_us=12_250_000))
    assert mpd.attrib["type"] == "static"
    assert mpd.attrib["mediaPresentationDuration"] == "PT12.25S"
    assert "minimumUpdatePeriod" not in mpd.attrib
    assert "availabilityTimeOffset" not in found(mpd, ".//d:SegmentTemplate").attrib
    assert mpd.find("d:UTCTiming", NS) is None


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30))
def test_a_broadcasters_words_stay_in_their_attribute(words: str) -> None:
    hostile = replace(AUDIO, language=words or "und", codec=words)
    mpd = parsed(presentation(track(hostile)))
    assert len(list(mpd.iter())) == len(list(parsed(presentation(track(AUDIO))).iter()))
    assert found(mpd, ".//d:Representation").attrib["codecs"] == words


def test_no_url_is_absolute() -> None:
    text = render_mpd(presentation(track(VIDEO), track(AUDIO)))
    mpd = ET.fromstring(text)
    urls = [value for e in mpd.iter() for name, value in e.attrib.items() if name in {"media", "initialization"}]
    urls += [e.attrib["value"] for e in mpd.iter() if e.tag.endswith("UTCTiming")]
    assert len(urls) == 7
    assert not any(url.startswith("/") or ":" in url for url in urls)
    assert "BaseURL" not in text


@pytest.mark.parametrize(
    ("delay_s", "latency_s"), [(None, LATENCY_LEAST_S), (0.0, LATENCY_LEAST_S), (0.61, 1.5), (3, 3.9)]
)
def test_the_latency_aimed_at_is_the_delay_and_four_parts(delay_s: float | None, latency_s: float) -> None:
    assert plan_latency(delay_s, 0.22, 0.66) == latency_s


def test_the_latency_aimed_at_grows_with_the_hold_back() -> None:
    assert plan_latency(0.5, 0.2, 2.0) == 2.7


@given(st.integers(-(10**20), 10**20))
def test_any_time_can_be_written(time_us: int) -> None:
    assert len(moment(time_us)) == len("2027-01-15T08:00:00.000Z")
