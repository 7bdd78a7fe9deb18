"""The live window as a DASH presentation: which Periods, tracks and segments an MPD lists. Values in, values out."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from gateway.live.periods import Cut, Periods
from gateway.live.segments import Segment
from gateway.media import dash
from gateway.media.fragments import read_fragment
from gateway.media.hls import Rhythm
from gateway.media.parts import TrackInfo

FRAME_RATE_PARTS_MAX = 1001
"""Frame rates are fractions over 1 or 1001; more is the rounding of a timescale."""


def present(
    periods: Periods,
    segments: Sequence[Segment],
    *,
    rhythm: Rhythm,
    window_s: float,
    published_us: int,
    latency_s: float,
    ended: bool,
) -> dash.Presentation | None:
    """What the MPD shows of ``segments``, the listed ones; None while no Period can be shown yet."""
    shown = [
        period
        for cut in periods.cuts
        if (own := _segments_of(cut, segments)) and (period := _period(cut, own, rhythm=rhythm, ended=ended))
    ]
    if not shown:
        return None
    last_us = next((cut.end_us for cut in reversed(periods.cuts) if cut.end_us is not None), None)
    return dash.Presentation(
        start_us=periods.start_us,
        published_us=published_us,
        part_target_s=rhythm.part_target_s,
        target_duration_s=rhythm.target_duration_s,
        window_s=min(window_s, _depth_s(segments, rhythm)),
        latency_s=latency_s,
        periods=tuple(shown),
        end_us=last_us if ended else None,
    )


def _depth_s(segments: Sequence[Segment], rhythm: Rhythm) -> float:
    """How far back from the newest part there is media: Shaka asks for ever for what was before a stream began."""
    here = [segment for segment in segments if segment.lead_start is not None]
    first, last = here[0], here[-1]
    span_s = (last.capture_us - first.capture_us) / 1_000_000 + last.duration_s
    return max(span_s - rhythm.part_target_s, 0.0)


def _segments_of(cut: Cut, segments: Sequence[Segment]) -> list[Segment]:
    return [s for s in segments if cut.first <= s.msn <= cut.last and s.lead_start is not None]


def _period(cut: Cut, segments: list[Segment], *, rhythm: Rhythm, ended: bool) -> dash.Period | None:
    """A Period; one on a grid cannot be shown before its first segment is whole."""
    if cut.regular and cut.step is None:
        if cut.end_us is None:
            return None
        cut = replace(cut, regular=False)
    name = f"{cut.discontinuity}-{cut.first}"
    if ended:
        cut = _from_segment(cut, segments[0])
    # Pictures first, by which a player's latency is measured.
    infos = sorted(cut.init.tracks, key=lambda info: info.kind != "video")
    tracks = (_track(cut, info, segments, rhythm) for info in infos if info.kind in dash.SEGMENT_KINDS)
    shown = tuple(track for track in tracks if track is not None)
    duration_us = None if cut.end_us is None else max(cut.end_us - cut.start_us, 0)
    return dash.Period(name=name, start_us=cut.start_us, duration_us=duration_us, tracks=shown) if shown else None


def _from_segment(cut: Cut, segment: Segment) -> Cut:
    """The Period from one of its segments on, all times unchanged: what an ended broadcast still has."""
    start = segment.lead_start
    assert start is not None
    if segment.msn == cut.first or start <= cut.origin:
        return cut
    if cut.step is not None:
        start = cut.origin + (segment.msn - cut.first) * cut.step
    return replace(cut, first=segment.msn, start_us=cut.at_us(start), origin=start)


def _track(cut: Cut, info: TrackInfo, segments: list[Segment], rhythm: Rhythm) -> dash.Track | None:
    """A track of a Period; None when nothing of it is here."""
    spans = [(segment, span) for segment in segments if (span := segment.span(info.track))]
    if not spans:
        return None
    lead = cut.init.lead
    whole = [(s, span) for s, span in spans if s.complete] or spans
    rates = [8 * s.track_bytes(info.track) * info.timescale // max(span[1], 1) for s, span in whole]
    grid = None
    if cut.regular and cut.step is not None:
        grid = dash.Grid(first=cut.first, step=cut.step, timescale=lead.timescale)
    timescale = grid.timescale if grid else info.timescale
    return dash.Track(
        info=info,
        epoch=cut.epoch,
        discontinuity=cut.discontinuity,
        offset=max(cut.origin * timescale // lead.timescale, 0),
        capture_us=cut.capture_us,
        captured=max(cut.captured * timescale // lead.timescale, 0),
        bandwidth_bps=max(1, *rates),
        frame_rate=_frame_rate(info, spans[0][0]),
        grid=grid,
        entries=() if grid else _entries(info, [(s.complete, span) for s, span in spans], rhythm),
    )


def _entries(
    info: TrackInfo, spans: Sequence[tuple[bool, tuple[int, int]]], rhythm: Rhythm
) -> tuple[tuple[int, int], ...]:
    """Start and length of each segment. The growing one is as long as the one before, as far as is known; one that
    overlaps the next, by a rounding of the broadcaster's, is cut."""
    entries: list[tuple[int, int]] = []
    for complete, (begin, length) in spans:
        start = max(begin, 0)
        if entries and start <= entries[-1][0]:
            continue
        if entries and sum(entries[-1]) > start:
            entries[-1] = (entries[-1][0], start - entries[-1][0])
        usual = entries[-1][1] if entries else rhythm.target_duration_s * info.timescale
        entries.append((start, max(length, 1) if complete else max(length, usual)))
    return tuple(entries)


def _frame_rate(info: TrackInfo, segment: Segment) -> Fraction:
    """Frames a second of a video track's first parts; 0 for other tracks."""
    if info.kind != "video":
        return Fraction(0)
    parts = [part for slot in segment.slots for part in slot.tracks.get(info.track, ())]
    length = sum(part.duration for part in parts)
    frames = sum(read_fragment(part.data).samples for part in parts)
    return Fraction(frames * info.timescale, max(length, 1)).limit_denominator(FRAME_RATE_PARTS_MAX)
