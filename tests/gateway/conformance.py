"""Checks what a window shows over time against the rules of HLS and DASH: each view by itself, and with those before.

Playlists are read by the `m3u8` library, MPDs by an XML parser: nothing here uses what wrote them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree as ET

import m3u8

from gateway.live import LiveWindow
from gateway.live.segments import Slot
from gateway.media.fragments import read_fragment

NS = {"d": "urn:mpeg:dash:schema:mpd:2011"}
SOUND = 2
DATE_SLACK_S = 0.005
SOUND_FRAME_S = 1024 / 48_000
"""Dates are those of the picture; sound begins with the first whole frame after it, and a gap's sound is reckoned to be
as long as its picture."""
SHORTEST_PART = 0.85
REACHABLE_TARGETS = 3
PART_URI = re.compile(r"(?:muxed|track-(\d+))/(\d+)\.(\d+)\.(?:m4s|vtt)")
TEMPLATE_FIXED = ("timescale", "presentationTimeOffset", "initialization", "media", "duration", "startNumber")


@dataclass
class PlaylistWatch:
    """One media playlist, seen again and again."""

    track: int | None
    media_sequence: int = -1
    discontinuity_sequence: int = -1
    known: dict[int, tuple[object, ...]] = field(default_factory=dict)
    listed_s: dict[tuple[int, int], float] = field(default_factory=dict)

    def see(self, window: LiveWindow, now_s: float) -> None:
        text = window.playlist(self.track).decode()
        parsed = m3u8.loads(text)
        self._check_numbers(parsed)
        self._check_durations(parsed)
        self._check_segments(parsed)
        self._check_dates(parsed, window)
        self._check_parts(parsed, window, now_s)
        self._check_delta(text, window, parsed.target_duration)

    def _check_numbers(self, parsed: m3u8.M3U8) -> None:
        assert parsed.media_sequence >= self.media_sequence
        assert parsed.discontinuity_sequence >= self.discontinuity_sequence
        self.media_sequence, self.discontinuity_sequence = parsed.media_sequence, parsed.discontinuity_sequence

    def _check_durations(self, parsed: m3u8.M3U8) -> None:
        """RFC 8216 section 4.3.3.1; rfc8216bis section 4.4.4.9."""
        for segment in parsed.segments:
            if segment.uri:
                assert round(segment.duration) <= parsed.target_duration
            for part in segment.parts[:-1]:
                assert part.duration <= parsed.part_inf.part_target
                assert part.gap == "YES" or part.duration >= SHORTEST_PART * parsed.part_inf.part_target

    def _check_segments(self, parsed: m3u8.M3U8) -> None:
        """What was once said of a segment stays so: RFC 8216 section 6.2.1."""
        discontinuity = parsed.discontinuity_sequence
        for number, segment in enumerate((s for s in parsed.segments if s.uri), parsed.media_sequence):
            # The first one's tag would be counted by the sequence number already.
            discontinuity += bool(segment.discontinuity) and number > parsed.media_sequence
            said = (segment.uri, segment.duration, segment.program_date_time, segment.gap_tag, discontinuity)
            assert self.known.setdefault(number, said) == said
            assert segment.uri.endswith((f"/{number}.m4s", f"/{number}.vtt"))

    def _check_dates(self, parsed: m3u8.M3U8, window: LiveWindow) -> None:
        whole = [segment for segment in parsed.segments if segment.uri]
        for before, after in pairwise(whole):
            passed_s = (after.program_date_time - before.program_date_time).total_seconds()
            if not after.discontinuity:
                segment = window.find(int(before.uri.rpartition("/")[2].partition(".")[0]))
                assert segment is not None
                frames = 1 + sum(slot.gap for slot in segment.slots) if self.track == SOUND else 0
                assert abs(passed_s - before.duration) < DATE_SLACK_S + frames * SOUND_FRAME_S

    def _check_parts(self, parsed: m3u8.M3U8, window: LiveWindow, now_s: float) -> None:
        """Each part is there while it is listed, and three target durations longer: rfc8216bis section 6.2.2."""
        for part in (part for segment in parsed.segments for part in segment.parts if part.gap != "YES"):
            match = PART_URI.fullmatch(part.uri)
            assert match
            self.listed_s[int(match[2]), int(match[3])] = now_s
        until_s = now_s - REACHABLE_TARGETS * parsed.target_duration
        self.listed_s = {place: seen_s for place, seen_s in self.listed_s.items() if seen_s >= until_s}
        for msn, index in self.listed_s:
            assert window.part(msn, index, self.track), (msn, index)

    def _check_delta(self, text: str, window: LiveWindow, target_s: int) -> None:
        """A delta update is the playlist without its oldest segments: rfc8216bis section 6.2.5.1."""
        delta = window.playlist(self.track, skip=True).decode()
        match = re.search(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n", delta)
        if not match:
            assert delta == text
            return
        rest = delta[match.end() :]
        assert text.endswith(rest)
        skipped = text[: -len(rest)]
        assert skipped.count("#EXTINF:") == int(match[1])
        assert skipped.startswith(delta[: match.start()])
        whole_s = sum(float(length) for length in re.findall(r"#EXTINF:([\d.]+)", rest))
        growing = rest.rpartition("#EXTINF:")[2]
        growing_s = sum(float(length) for length in re.findall(r"PART:DURATION=([\d.]+)", growing))
        assert whole_s + growing_s > 6 * target_s - DATE_SLACK_S


@dataclass
class ManifestWatch:
    """One MPD, seen again and again."""

    start: str = ""
    published: str = ""
    text: str = ""
    periods: dict[str, tuple[str, ...]] = field(default_factory=dict)
    templates: dict[tuple[str, str], dict[str, str | None]] = field(default_factory=dict)

    def see(self, window: LiveWindow) -> None:
        text = window.manifest(1.5).decode()
        mpd = ET.fromstring(text)
        assert mpd.get("type") == "dynamic"
        assert self.start in {"", mpd.attrib["availabilityStartTime"]}
        assert text == self.text or mpd.attrib["publishTime"] > self.published
        self.start, self.published, self.text = mpd.attrib["availabilityStartTime"], mpd.attrib["publishTime"], text
        self._check_periods(mpd)
        for period in mpd.findall("d:Period", NS):
            for adaptation_set in period.findall("d:AdaptationSet", NS):
                self._check_track(period, adaptation_set, window)

    def _check_periods(self, mpd: ET.Element) -> None:
        """Names and starts are for good; Periods follow each other without an overlap."""
        periods = mpd.findall("d:Period", NS)
        assert periods
        end_s = Fraction(0)
        for period in periods:
            start_s = seconds(period.attrib["start"])
            assert start_s >= end_s
            assert self.periods.setdefault(period.attrib["id"], (period.attrib["start"],)) == (period.attrib["start"],)
            end_s = start_s + seconds(period.get("duration", "PT0S"))
        assert all("duration" in period.attrib for period in periods[:-1])

    def _check_track(self, period: ET.Element, adaptation_set: ET.Element, window: LiveWindow) -> None:
        template = adaptation_set.find("d:SegmentTemplate", NS)
        assert template is not None
        fixed = {name: template.get(name) for name in TEMPLATE_FIXED}
        key = (period.attrib["id"], adaptation_set.attrib["id"])
        assert self.templates.setdefault(key, fixed) == fixed
        track = int(adaptation_set.attrib["id"])
        if "duration" in template.attrib:
            check_grid(template, track, period, window)
        else:
            check_timeline(template, track, window)


def check_grid(template: ET.Element, track: int, period: ET.Element, window: LiveWindow) -> None:
    """Each segment lies within half a length of where its number puts it: ISO/IEC 23009-1 section 5.3.9.2.1."""
    timescale, step = int(template.attrib["timescale"]), int(template.attrib["duration"])
    offset_s = Fraction(int(template.get("presentationTimeOffset", "0")), timescale)
    step_s = Fraction(step, timescale)
    length_s = seconds(period.attrib["duration"]) if "duration" in period.attrib else None
    discontinuity = int(template.attrib["media"].split("-")[1])
    newest, _ = window.hint
    for msn in range(newest - 40, newest + 1):
        segment = window.find(msn)
        span = segment.span(track) if segment is not None and segment.discontinuity == discontinuity else None
        if segment is None or span is None:
            continue
        info = segment.init.track(track)
        assert info is not None
        due_s = (msn - int(template.attrib["startNumber"])) * step_s
        if due_s < 0 or (length_s is not None and due_s >= length_s - step_s / 2):
            continue
        first_gap_s = sum(slot.duration_s for slot in segment.slots[: first_real(segment.slots)])
        assert abs(Fraction(span[0], info.timescale) - offset_s - due_s) <= step_s / 2 + Fraction(first_gap_s)


def first_real(slots: Sequence[Slot]) -> int:
    return next(index for index, slot in enumerate(slots) if not slot.gap)


def check_timeline(template: ET.Element, track: int, window: LiveWindow) -> None:
    """Entries follow each other without an overlap, and each one's URL leads to a segment."""
    discontinuity = int(template.attrib["media"].split("-")[1])
    at = -1
    for entry in template.findall("d:SegmentTimeline/d:S", NS):
        start = int(entry.get("t", at))
        assert start >= at
        for _ in range(int(entry.get("r", "0")) + 1):
            assert window.find_at(discontinuity, track, start) is not None
            start += int(entry.attrib["d"])
        at = start


def check_media(window: LiveWindow, track: int) -> None:
    """Decode times go on without a hole but for gaps and discontinuities."""
    newest, _ = window.hint
    due: int | None = None
    discontinuity = -1
    for msn in range(newest - 40, newest + 1):
        segment = window.find(msn)
        if segment is None:
            continue
        if segment.discontinuity != discontinuity or not segment.slots:
            due, discontinuity = None, segment.discontinuity
        for slot in segment.slots:
            for part in slot.tracks.get(track, ()):
                fragment = read_fragment(part.data, segment.init.track(track))
                assert due is None or fragment.decode_time == due
                due = fragment.decode_time + fragment.duration
            if slot.gap:
                due = None


def seconds(text: str) -> Fraction:
    """xs:duration of seconds alone."""
    match = re.fullmatch(r"PT([\d.]+)S", text)
    assert match
    return Fraction(match[1])
