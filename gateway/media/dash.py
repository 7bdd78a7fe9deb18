"""DASH presentations as text: the dynamic MPD of ISO/IEC 23009-1, with the low-latency parts of DASH-IF IOP part 6.

Pure rendering: what is in a presentation, and when, is the live window's business. All URLs are relative. Every text
goes through the XML writer, which escapes it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from xml.etree import ElementTree as ET

from gateway.media.parts import TrackInfo

NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5"
CHANNELS_SCHEME = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
ROLE_SCHEME = "urn:mpeg:dash:role:2011"
TIME_SCHEME = "urn:mpeg:dash:utc:http-iso:2014"
TIME_URI = "time"
"""Where the source's time is told, relative to the MPD."""

LATENCY_LEAST_S = 1.2
"""Below this aim dash.js falls further behind instead of catching up."""
LATENCY_PARTS = 4
"""Parts between the arrival of media and the picture: one that fills, three that the player holds."""
RATE_LEAST, RATE_MOST = 0.95, 1.1
"""How much slower and faster a player may play to come to its latency; sound stays pleasant within."""
TIME_US_MAX = 253_402_300_799_999_999
"""The end of the year 9999, the last that a date can say."""
TIMELINE_UPDATE_S = 0.5
"""A player learns of a timeline's next segment by loading the MPD again."""

SEGMENT_KINDS = {"video": "video/mp4", "audio": "audio/mp4", "text": "application/mp4"}
CHANNEL_LAYOUTS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 11, 8: 12}
"""ChannelConfiguration of ISO/IEC 23091-3 table 2 by the number of channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Segments of one length: number ``first`` starts at the track's offset. ``step`` is in ``timescale``."""

    first: int
    step: int
    timescale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A track in one Period. ``offset`` is the media time at the Period's start.

    With a ``grid`` all its times are in the grid's timescale; without one in the track's own, and ``entries`` are the
    start and duration of each segment. ``capture_us`` is when the media at the time ``captured`` was.
    """

    info: TrackInfo
    epoch: int
    discontinuity: int
    offset: int
    capture_us: int
    captured: int
    bandwidth_bps: int
    frame_rate: Fraction = Fraction(0)
    grid: Grid | None = None
    entries: tuple[tuple[int, int], ...] = ()

    @property
    def timescale(self) -> int:
        return self.grid.timescale if self.grid else self.info.timescale


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch without a discontinuity; microseconds after the presentation's start. No duration: it goes on."""

    name: str
    start_us: int
    duration_us: int | None
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """A whole MPD. ``start_us`` is the wall-clock time at which presentation time is zero, by the source's clock.

    ``end_us`` is the presentation time at which a broadcast has ended; None while it goes on.
    """

    start_us: int
    published_us: int
    part_target_s: float
    target_duration_s: int
    window_s: float
    latency_s: float
    periods: tuple[Period, ...]
    end_us: int | None = None


def plan_latency(delay_s: float | None, part_target_s: float, hold_back_s: float) -> float:
    """The latency to aim at, capture to picture, where media is ``delay_s`` late on its way and players are to stay
    ``hold_back_s`` behind what is here; to a tenth of a second, so that the MPD does not change all the time."""
    behind_s = max(LATENCY_PARTS * part_target_s, hold_back_s + part_target_s)
    return max(LATENCY_LEAST_S, math.ceil(10 * ((delay_s or 0.0) + behind_s) - 1e-6) / 10)


def render_mpd(presentation: Presentation) -> str:
    """The MPD as XML."""
    mpd = ET.Element("MPD", _mpd_attributes(presentation))
    if presentation.end_us is None:
        _add_service(mpd, presentation)
    for period in presentation.periods:
        _add_period(mpd, period, presentation)
    if presentation.end_us is None:
        ET.SubElement(mpd, "UTCTiming", schemeIdUri=TIME_SCHEME, value=TIME_URI)
    ET.indent(mpd)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(mpd, encoding="unicode") + "\n"


def moment(time_us: int) -> str:
    """xs:dateTime in UTC, to the millisecond."""
    time_us = min(max(time_us, 0), TIME_US_MAX)
    date = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return f"{date:%Y-%m-%dT%H:%M:%S}.{time_us // 1000 % 1000:03d}Z"


def _mpd_attributes(presentation: Presentation) -> dict[str, str]:
    attributes = {
        "xmlns": NAMESPACE,
        "profiles": PROFILES,
        "minBufferTime": _seconds(presentation.part_target_s),
        "maxSegmentDuration": _seconds(presentation.target_duration_s),
        "publishTime": moment(presentation.published_us),
    }
    if presentation.end_us is not None:
        return attributes | {"type": "static", "mediaPresentationDuration": _duration(presentation.end_us)}
    on_grid = all(track.grid for track in presentation.periods[-1].tracks)
    return attributes | {
        "type": "dynamic",
        "availabilityStartTime": moment(presentation.start_us),
        "minimumUpdatePeriod": _seconds(presentation.target_duration_s if on_grid else TIMELINE_UPDATE_S),
        "timeShiftBufferDepth": _seconds(presentation.window_s),
        "suggestedPresentationDelay": _seconds(_delay_s(presentation)),
    }


def _delay_s(presentation: Presentation) -> float:
    """How late to play, no later than there is media: ffmpeg would ask for numbers that never come, and never stop.

    Time zero tells nothing of that: it may be hours before the first segment that is here."""
    return max(min(presentation.latency_s, presentation.window_s), 0.0)


def _add_service(mpd: ET.Element, presentation: Presentation) -> None:
    """What the player is to aim at: ISO/IEC 23009-1 annex K."""
    service = ET.SubElement(mpd, "ServiceDescription", id="0")
    reference = str(presentation.periods[-1].tracks[0].info.track)
    latency_ms = round(1000 * presentation.latency_s)
    most_ms = latency_ms + 3000 * presentation.target_duration_s
    ET.SubElement(
        service, "Latency", target=str(latency_ms), min=str(latency_ms // 2), max=str(most_ms), referenceId=reference
    )
    ET.SubElement(service, "PlaybackRate", min=str(RATE_LEAST), max=str(RATE_MOST))


def _add_period(mpd: ET.Element, period: Period, presentation: Presentation) -> None:
    attributes = {"id": period.name, "start": _duration(period.start_us)}
    if period.duration_us is not None:
        attributes["duration"] = _duration(period.duration_us)
    element = ET.SubElement(mpd, "Period", attributes)
    main = {next((t.info.track for t in period.tracks if t.info.kind == kind), None) for kind in SEGMENT_KINDS}
    for track in period.tracks:
        _add_adaptation_set(element, track, presentation, main=track.info.track in main)


def _add_adaptation_set(period: ET.Element, track: Track, presentation: Presentation, *, main: bool) -> None:
    info = track.info
    attributes = {
        "id": str(info.track),
        "contentType": info.kind,
        "mimeType": SEGMENT_KINDS[info.kind],
        "segmentAlignment": "true",
        "startWithSAP": "1",
    }
    if info.language != "und":
        attributes["lang"] = info.language
    element = ET.SubElement(period, "AdaptationSet", attributes)
    if presentation.end_us is None:
        _add_reference_time(element, track)
    ET.SubElement(element, "Role", schemeIdUri=ROLE_SCHEME, value=_role(info, main=main))
    _add_template(element, track, presentation)
    _add_representation(element, track)


def _role(info: TrackInfo, *, main: bool) -> str:
    if info.kind == "text":
        return "subtitle"
    return "main" if main else "alternate"


def _add_reference_time(adaptation_set: ET.Element, track: Track) -> None:
    """When the Period's first media was captured, as the broadcaster has signed it: section 5.12."""
    reference = ET.SubElement(
        adaptation_set,
        "ProducerReferenceTime",
        id=str(track.info.track),
        type="captured",
        wallClockTime=moment(track.capture_us),
        presentationTime=str(track.captured),
    )
    ET.SubElement(reference, "UTCTiming", schemeIdUri=TIME_SCHEME, value=TIME_URI)


def _add_template(adaptation_set: ET.Element, track: Track, presentation: Presentation) -> None:
    folder = f"chunked-{track.discontinuity}-{track.info.track}"
    grid = track.grid
    attributes = {
        "timescale": str(track.timescale),
        "initialization": f"init-{track.epoch}-{track.info.track}.mp4",
        "media": f"{folder}/$Number$.m4s" if grid else f"{folder}/t$Time$.m4s",
    }
    # Left out where it can be: with it ffmpeg begins at the segment that grows, whatever delay is suggested.
    if track.offset:
        attributes["presentationTimeOffset"] = str(track.offset)
    if grid:
        attributes |= {"startNumber": str(grid.first), "duration": str(grid.step)}
    if presentation.end_us is None:
        segment_s = grid.step / grid.timescale if grid else presentation.target_duration_s
        early_s = max(segment_s - presentation.part_target_s, 0.0)
        attributes |= {"availabilityTimeOffset": f"{early_s:.3f}", "availabilityTimeComplete": "false"}
    template = ET.SubElement(adaptation_set, "SegmentTemplate", attributes)
    if not grid:
        _add_timeline(template, track.entries)


def _add_timeline(template: ET.Element, entries: Sequence[tuple[int, int]]) -> None:
    """Runs of equal segments as one entry; a start is said where the one before does not lead to it."""
    timeline = ET.SubElement(template, "SegmentTimeline")
    run: ET.Element | None = None
    due: int | None = None
    for start, duration in entries:
        if run is not None and start == due and run.get("d") == str(duration):
            run.set("r", str(int(run.get("r", "0")) + 1))
        else:
            run = ET.SubElement(timeline, "S", {} if start == due else {"t": str(start)}, d=str(duration))
        due = start + duration


def _add_representation(adaptation_set: ET.Element, track: Track) -> None:
    info = track.info
    attributes = {"id": str(info.track), "codecs": info.codec, "bandwidth": str(track.bandwidth_bps)}
    if info.kind == "video":
        attributes |= {"width": str(info.width), "height": str(info.height)}
        attributes |= {"frameRate": str(track.frame_rate)} if track.frame_rate else {}
    elif info.sample_rate:
        attributes["audioSamplingRate"] = str(info.sample_rate)
    element = ET.SubElement(adaptation_set, "Representation", attributes)
    if layout := CHANNEL_LAYOUTS.get(info.channels):
        ET.SubElement(element, "AudioChannelConfiguration", schemeIdUri=CHANNELS_SCHEME, value=str(layout))


def _duration(time_us: int) -> str:
    """xs:duration from microseconds."""
    whole, rest = divmod(time_us, 1_000_000)
    return f"PT{whole}.{rest:06d}".rstrip("0").rstrip(".") + "S" if rest else f"PT{whole}S"


def _seconds(value: float) -> str:
    return _duration(round(value * 1_000_000))
