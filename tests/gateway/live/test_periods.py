"""Where a window's segments are cut into the Periods of a presentation."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.live import LiveWindow
from gateway.live.periods import Periods
from gateway.live.segments import Segment
from gateway.media.parts import InitSegment
from gateway.media.rungs import rung_inits
from gateway.media.splitter import PartSplitter
from tests.gateway.synthetic import START_US, Broadcaster, give

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}


class Show:
    """A broadcaster and its window; ``sound_alone``: that of the rendition without a picture."""

    def __init__(self, lengths: tuple[int, ...] = (5,), *, sound_alone: bool = False) -> None:
        self.source = Broadcaster(lengths=lengths)
        self.window = LiveWindow(24.0)
        self.sound_alone = sound_alone
        description = self.source.description
        if sound_alone:
            (init,) = PartSplitter().feed(description.init)
            assert isinstance(init, InitSegment)
            description = replace(description, init=rung_inits(init, audio_rung=True)[-1])
        self.window.set_description(1, description)

    def play(self, pieces: int) -> None:
        for _ in range(pieces):
            number, epoch, capture_us, content = self.source.make()
            parts = content.parts[1:] if self.sound_alone else content.parts
            give(self.window, (number, epoch, capture_us, replace(content, parts=parts)))

    def restart(self, pause_us: int, lengths: tuple[int, ...] = (5,)) -> None:
        self.source.begin_epoch(pause_us=pause_us, lengths=lengths)
        self.window.set_description(self.source.epoch, self.source.description)

    def mpd(self, latency_s: float = 1.5) -> ET.Element:
        return ET.fromstring(self.window.manifest(latency_s))

    def periods(self) -> list[dict[str, str]]:
        return [dict(period.attrib) for period in self.mpd().findall("d:Period", NS)]

    def template(self, period: int = -1) -> dict[str, str]:
        found = self.mpd().findall("d:Period", NS)[period].find(".//d:SegmentTemplate", NS)
        assert found is not None
        return dict(found.attrib)


def test_nothing_is_shown_before_a_segment_is_whole() -> None:
    show = Show()
    show.play(5)
    assert show.window.manifest(1.5) == b""
    show.play(1)
    assert show.window.manifest(1.5)


def test_even_segments_are_on_a_grid_from_media_time_zero() -> None:
    show = Show()
    show.play(60)
    assert show.periods() == [{"id": "0-5000", "start": "PT0S"}]
    assert show.template()["duration"] == "12800"
    assert show.template()["startNumber"] == "5000"
    assert "presentationTimeOffset" not in show.template()


def test_no_more_is_offered_to_go_back_than_there_is() -> None:
    show = Show()
    offered_s = []
    for pieces in (10, 10, 200):
        show.play(pieces)
        offered_s.append(show.mpd().attrib["timeShiftBufferDepth"])
    assert offered_s == ["PT1.78S", "PT3.78S", "PT23.78S"]


def test_who_joins_late_has_the_same_grid_and_start() -> None:
    show, late = Show(), Show()
    show.play(60)
    late.source.lengths = show.source.lengths
    for _ in range(60):
        late.source.make()
    show.play(20)
    late.play(20)
    assert late.template() == show.template()
    assert late.mpd().attrib["availabilityStartTime"] == show.mpd().attrib["availabilityStartTime"]


def number_that_ffmpeg_asks_for(show: Show, latency_s: float = 1.5) -> int:
    """As its reader of DASH reckons, with the whole seconds of the delay alone and without the Period's start."""
    template = {name: int(value) for name, value in show.template().items() if value.isdigit()}
    mpd = show.mpd(latency_s)
    began_s = datetime.fromisoformat(mpd.attrib["availabilityStartTime"]).timestamp()
    elapsed_s = show.source.now_us / 1e6 - began_s
    if offset := template.get("presentationTimeOffset"):
        media = elapsed_s * template["timescale"] - offset
    else:
        media = (elapsed_s - math.floor(seconds(mpd.attrib["suggestedPresentationDelay"]))) * template["timescale"]
    return template["startNumber"] + math.floor(media / template["duration"])


@pytest.mark.parametrize("sound_alone", [False, True])
@pytest.mark.parametrize("begun_ms", [0, 400, 1000, 7000, 8200, 19_600, 3_600_000])
def test_ffmpeg_asks_for_what_is_here_however_late_the_window_begins(begun_ms: int, sound_alone: bool) -> None:
    show = Show(sound_alone=sound_alone)
    show.source._media_us = begun_ms * 1000
    for pieces in (6, 5, 5):
        show.play(pieces)
        assert show.window.find(number_that_ffmpeg_asks_for(show)) is not None


def test_ffmpeg_asks_for_what_is_here_where_more_delay_is_wanted_than_there_has_been_media() -> None:
    show = Show()
    for pieces in (6, 5, 30):
        show.play(pieces)
        assert show.window.find(number_that_ffmpeg_asks_for(show, latency_s=7.0)) is not None
    assert show.mpd(latency_s=7.0).attrib["suggestedPresentationDelay"] == "PT7S"


def test_ffmpeg_asks_for_what_is_here_where_a_window_that_began_late_is_shorter_than_the_delay() -> None:
    show = Show()
    show.source._media_us = 3_600_000_000
    for pieces in (6, 5, 30):
        show.play(pieces)
        assert show.window.find(number_that_ffmpeg_asks_for(show, latency_s=7.0)) is not None


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A segment of it, as far as it is cut by."""

    msn: int
    lead_start: int
    capture_us: int
    init: InitSegment
    epoch: int = 1
    discontinuity: int = 0


def test_the_presentation_begins_at_media_time_zero_where_both_are_rounded() -> None:
    (init,) = PartSplitter().feed(Broadcaster().description.init)
    assert isinstance(init, InitSegment)
    init = replace(init, tracks=(replace(init.lead, timescale=44_100),))
    begin = 44_100 * 2924 + 300  # no whole microseconds
    first = Sound(msn=4000, lead_start=begin, capture_us=START_US + begin * 1_000_000 // 44_100, init=init)
    second = replace(first, msn=4001, lead_start=begin + 44_100)
    periods = Periods()
    periods.follow(cast("list[Segment]", [first, second]))
    (cut,) = periods.cuts
    assert (periods.start_us, cut.start_us, cut.origin, cut.first) == (START_US, 0, 0, 4000 - 2924)


def test_where_the_grid_does_not_pass_zero_the_start_still_is_when_media_time_was_zero() -> None:
    early, late = Show(), Show()
    for show, begun_us in ((early, 1_400_000), (late, 5_400_000)):
        show.source._media_us = begun_us
        show.source.now_us += begun_us
        show.play(12)
        assert seconds(show.periods()[0]["start"]) == begun_us / 1e6
        assert int(show.template()["presentationTimeOffset"]) == begun_us * 12_800 // 1_000_000
    assert late.mpd().attrib["availabilityStartTime"] == early.mpd().attrib["availabilityStartTime"]


def test_what_was_shown_of_a_period_stays_when_its_segments_go() -> None:
    show = Show()
    show.play(60)
    before = show.template(), show.periods()
    show.play(1000)
    assert (show.template(), show.periods()) == before


def test_a_restart_begins_a_period_when_its_media_was_captured() -> None:
    show = Show()
    show.play(52)
    show.restart(3_000_000)
    show.play(6)
    first, second = show.periods()
    assert first["duration"] == "PT10.4S"
    assert second["start"] == "PT13.4S"


def test_a_restart_without_a_pause_begins_where_the_period_before_ends() -> None:
    show = Show()
    show.play(52)
    show.restart(-700_000)
    show.play(6)
    first, second = show.periods()
    assert second["start"] == first["duration"] == "PT10.4S"


def test_where_the_grid_does_not_hold_a_timeline_begins() -> None:
    show = Show()
    show.play(40)
    show.source.lengths = (5, 2)
    show.play(40)
    first, second = show.periods()
    assert seconds(first["duration"]) == seconds(second["start"])
    assert "duration" in show.template(0)
    assert "duration" not in show.template(1)
    assert show.template(1)["media"] == "chunked-0-1/t$Time$.m4s"
    assert show.window.find_at(0, 1, 12_800 * 8)


def test_a_length_that_was_measured_a_little_wrong_gives_a_new_grid() -> None:
    show = Show()
    show.play(6)
    (cut,) = show.window._periods.cuts
    cut.step = 12_700
    show.play(5 * 100)
    assert all("duration" in show.template(number) for number in range(len(show.periods())))
    assert show.template()["duration"] == "12800"


def test_an_ended_broadcast_begins_with_what_is_left_of_it() -> None:
    show = Show()
    show.play(500)
    show.window.end()
    mpd = show.mpd()
    assert mpd.attrib["type"] == "static"
    assert mpd.attrib["mediaPresentationDuration"] == "PT100S"
    (period,) = show.periods()
    first = int(show.template()["startNumber"])
    assert show.window.segment(first, 1)
    assert seconds(period["start"]) == first - 5000
    assert seconds(period["start"]) + seconds(period["duration"]) == 100
    assert int(show.template()["presentationTimeOffset"]) == (first - 5000) * 12_800


def test_times_that_go_backwards_give_no_negative_length() -> None:
    show = Show()
    show.play(30)
    show.source._media_us = 1_000_000
    show.play(30)
    for period in show.periods():
        assert seconds(period.get("duration", "PT0S")) >= 0


def seconds(text: str) -> float:
    assert text.startswith("PT")
    return float(text[2:-1])


numbers = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=60)
@given(st.lists(st.tuples(numbers, st.integers(0, 2**32 - 1), st.integers(0, 10)), min_size=2, max_size=12))
def test_whatever_times_a_broadcaster_signs_the_manifest_can_be_read(times: list[tuple[int, int, int]]) -> None:
    source, window = Broadcaster(lengths=(1,)), LiveWindow(24.0)
    window.set_description(1, source.description)
    for decode_time, duration, pause_s in times:
        source.now_us += pause_s * 1_000_000
        number, epoch, capture_us, content = source.make()
        parts = tuple(replace(part, decode_time=decode_time, duration=duration) for part in content.parts)
        give(window, (number, epoch, capture_us, replace(content, parts=parts)))
    for _ in range(2):
        if manifest := window.manifest(1.5):
            for element in ET.fromstring(manifest).iter():
                assert not any(value.startswith("-") or "PT-" in value for value in element.attrib.values())
        window.end()
