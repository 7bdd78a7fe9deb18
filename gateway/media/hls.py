"""HLS media playlists as text: RFC 8216, and its second edition (rfc8216bis) for the low-latency tags.

Pure rendering: what is in a playlist, and when, is the live window's business. All URLs are relative.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

LOW_LATENCY_VERSION = 9
PLAIN_VERSION = 7

MUXED = "muxed"
"""The folder of the segments that hold all tracks."""

MEDIA_SUFFIX = ".m4s"
TEXT_SUFFIX = ".vtt"

HOLD_BACK = "hold_back"
"""In a playlist's query: how many seconds behind its end its players are to stay."""

HOLD_BACK_PARTS = 3
HOLD_BACK_TARGETS = 3
"""The least that is allowed (rfc8216bis section 4.4.3.8); a player may stay further back."""

SKIP_TARGETS = 6
"""Target durations before the end that a delta update always lists; the least allowed (section 4.4.3.8)."""

PART_TARGET_MARGIN = 1.1
"""Parts end on whole frames and audio packets, and so come out longer than aimed at. No part but a segment's last
may be shorter than 85 % of PART-TARGET (section 4.4.4.9): the aim is 91 % of it."""

AIM_TOLERANCE_S = 0.05
"""A segment may be that much longer than the broadcaster's aim before TARGETDURATION grows by a second. The standard
rounds each EXTINF to whole seconds before it compares (section 4.4.3.1), so half a second more is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLine:
    """A partial segment. ``independent``: it starts with a key frame. ``gap``: it will never be there."""

    duration_s: float
    independent: bool
    gap: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLine:
    """A segment, whole or still growing (then without a line of its own).

    ``discontinuity`` is its discontinuity sequence number, ``date_us`` the capture time of its first frame, ``gap``
    that nothing of it is here.
    """

    msn: int
    epoch: int
    discontinuity: int
    date_us: int
    duration_s: float
    parts: tuple[PartLine, ...]
    complete: bool
    gap: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """The lengths that a playlist promises for its whole life: whole seconds, and seconds."""

    target_duration_s: int
    part_target_s: float

    @property
    def reload_timeout_s(self) -> float:
        """How long a request may be held (rfc8216bis section 6.2.5.2)."""
        return 3.0 * self.target_duration_s

    @property
    def advance_parts(self) -> int:
        """The Advance Part Limit of rfc8216bis section 6.2.5.2."""
        return math.ceil(3 / self.part_target_s) if self.part_target_s < 1 else 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Media:
    """Where the segments and parts of a playlist are."""

    folder: str
    suffix: str

    def uri(self, msn: int, part: int | None = None) -> str:
        return f"{self.folder}/{msn}{self.suffix}" if part is None else f"{self.folder}/{msn}.{part}{self.suffix}"


def plan_rhythm(part_target_s: float, segment_target_s: float, longest_part_s: float) -> Rhythm:
    """The promise for a stream, from what its broadcaster aims at and the longest part of its first piece."""
    part_s = max(part_target_s * PART_TARGET_MARGIN, longest_part_s)
    return Rhythm(
        target_duration_s=max(1, math.ceil(segment_target_s - AIM_TOLERANCE_S), math.ceil(part_s)),
        part_target_s=math.ceil(part_s * 1000 - 1e-6) / 1000,
    )


def render_low_latency(
    segments: Sequence[SegmentLine],
    *,
    rhythm: Rhythm,
    track: int | None,
    hint: tuple[int, int],
    ended: bool,
    skip: bool = False,
    siblings: Sequence[int] = (),
    hold_back_s: float = 0.0,
    asked_s: float | None = None,
    text: bool = False,
) -> str:
    """A media playlist with parts (rfc8216bis section 4.4); ``hint`` is the segment and part to come next.

    Parts are listed from three target durations before the end on, as section 6.2.2 asks. With ``skip`` it is a delta
    update (section 6.2.5.1), where there is something to skip. ``siblings`` are the tracks of which it reports how far
    they are, the same for all. Players are to stay ``hold_back_s`` behind the end, or as far as the standard asks.
    """
    target_s = rhythm.target_duration_s
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{LOW_LATENCY_VERSION}",
        f"#EXT-X-TARGETDURATION:{target_s}",
        _control_line(rhythm, max(hold_back_s, asked_s or 0.0)),
        f"#EXT-X-PART-INF:PART-TARGET={_seconds(rhythm.part_target_s)}",
        *_sequence_lines(segments),
    ]
    media = _Media(folder=_folder(track), suffix=TEXT_SUFFIX if text else MEDIA_SUFFIX)
    left_s = sum(segment.duration_s for segment in segments)
    skipped = _skippable(segments, left_s - SKIP_TARGETS * target_s) if skip else 0
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    previous: SegmentLine | None = None
    for index, segment in enumerate(segments):
        left_s -= segment.duration_s
        if index < skipped:
            previous = segment
            continue
        lines += _context_lines(segment, previous, None if text else init_uri(segment.epoch, track))
        # The segment in which the limit lies keeps all its parts: half a list helps nobody.
        if left_s < 3 * target_s:
            lines += _part_lines(segment, media, rhythm.part_target_s)
        lines += _segment_lines(segment, media)
        previous = segment
    lines += ["#EXT-X-ENDLIST"] if ended else [_hint_line(media, hint), *_report_lines(segments[-1], siblings, asked_s)]
    return "\n".join(lines) + "\n"


def render_plain(
    segments: Sequence[SegmentLine],
    *,
    target_duration_s: int,
    track: int | None = None,
    ended: bool = False,
    start_s: float | None = None,
) -> str:
    """A media playlist of whole segments for players of RFC 8216.

    ``start_s`` is where to begin, from the playlist's beginning or, below 0, from its end (section 4.3.5.2).
    """
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{PLAIN_VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s}",
        *_sequence_lines(segments),
    ]
    if start_s is not None:
        lines.append(f"#EXT-X-START:TIME-OFFSET={_seconds(start_s)}")
    media = _Media(folder=_folder(track), suffix=MEDIA_SUFFIX)
    previous: SegmentLine | None = None
    for segment in segments:
        lines += _context_lines(segment, previous, init_uri(segment.epoch, track))
        lines += _segment_lines(segment, media)
        previous = segment
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def playlist_uri(track: int | None, hold_back_s: float | None) -> str:
    """Where the low-latency playlist of a track is, or that of all tracks, relative to the multivariant one.

    A playlist's EXT-X-SERVER-CONTROL may not change (rfc8216bis section 6.2.1 lists what may), and how far behind
    players had better stay does: each length is a playlist of its own, by its URL.
    """
    return f"{_folder(track)}.m3u8" + ("" if hold_back_s is None else f"?{HOLD_BACK}={_seconds(hold_back_s)}")


def init_uri(epoch: int, track: int | None) -> str:
    """Where an epoch's init segment is, relative to the playlists."""
    return f"init-{epoch}.mp4" if track is None else f"init-{epoch}-{track}.mp4"


def _folder(track: int | None) -> str:
    return MUXED if track is None else f"track-{track}"


def _control_line(rhythm: Rhythm, least_s: float) -> str:
    part_hold_back_s = _seconds(max(HOLD_BACK_PARTS * rhythm.part_target_s, least_s))
    hold_back_s = _seconds(max(HOLD_BACK_TARGETS * rhythm.target_duration_s, least_s))
    skip_until_s = SKIP_TARGETS * rhythm.target_duration_s
    return (
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip_until_s}"
        f",PART-HOLD-BACK={part_hold_back_s},HOLD-BACK={hold_back_s}"
    )


def _skippable(segments: Sequence[SegmentLine], skippable_s: float) -> int:
    """How many of the oldest segments lie wholly before the skip boundary."""
    count = 0
    while count < len(segments) and segments[count].complete and segments[count].duration_s <= skippable_s:
        skippable_s -= segments[count].duration_s
        count += 1
    return count


def _report_lines(newest: SegmentLine, siblings: Sequence[int], asked_s: float | None) -> list[str]:
    """How far the other tracks are (section 4.4.5.4), so that a player who changes to one need not ask twice."""
    last = f"LAST-MSN={newest.msn}" + (f",LAST-PART={len(newest.parts) - 1}" if newest.parts else "")
    return [f'#EXT-X-RENDITION-REPORT:URI="{playlist_uri(track, asked_s)}",{last}' for track in siblings]


def _sequence_lines(segments: Sequence[SegmentLine]) -> list[str]:
    first = segments[0]
    return [f"#EXT-X-MEDIA-SEQUENCE:{first.msn}", f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.discontinuity}"]


def _context_lines(segment: SegmentLine, previous: SegmentLine | None, init: str | None) -> list[str]:
    """What stands before a segment's parts: discontinuity, init segment, date."""
    lines = []
    if previous is not None and segment.discontinuity != previous.discontinuity:
        lines.append("#EXT-X-DISCONTINUITY")
    if init is not None and (previous is None or segment.epoch != previous.epoch):
        lines.append(f'#EXT-X-MAP:URI="{init}"')
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_date(segment.date_us)}")
    return lines


def _part_lines(segment: SegmentLine, media: _Media, part_target_s: float) -> list[str]:
    lines = []
    for index, part in enumerate(segment.parts):
        # PART-TARGET may not change and no part may exceed it: a rare longer one is understated.
        line = f"#EXT-X-PART:DURATION={_seconds(min(part.duration_s, part_target_s))}"
        line += f',URI="{media.uri(segment.msn, index)}"'
        line += ",INDEPENDENT=YES" if part.independent and not part.gap else ""
        lines.append(line + (",GAP=YES" if part.gap else ""))
    return lines


def _segment_lines(segment: SegmentLine, media: _Media) -> list[str]:
    if not segment.complete:
        return []
    gap = ["#EXT-X-GAP"] if segment.gap else []
    return [*gap, f"#EXTINF:{segment.duration_s:.5f},", media.uri(segment.msn)]


def _hint_line(media: _Media, hint: tuple[int, int]) -> str:
    return f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{media.uri(*hint)}"'


def _seconds(value: float) -> str:
    return f"{value:.5f}".rstrip("0").rstrip(".")


def format_date(time_us: int) -> str:
    """Microseconds since 1970 by RFC 3339 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_us // 1000 % 1000:03d}Z"
