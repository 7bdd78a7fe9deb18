"""HLS playlists of MPEG-TS segments, as RFC 8216 knew them at version 3: for old televisions and set-top boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.media.hls import format_date

VERSION = 3

FOLDER = "ts"
"""Where the segments are, relative to the playlist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLine:
    """A segment; ``discontinuity`` is its discontinuity sequence number, ``date_us`` its first frame's capture."""

    number: int
    discontinuity: int
    date_us: int
    duration_s: float


def render_transport(segments: Sequence[TransportLine], *, target_duration_s: int, ended: bool) -> str:
    """A media playlist of whole segments (RFC 8216 section 4.3.3), of which there is at least one."""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration_s}",
        f"#EXT-X-MEDIA-SEQUENCE:{segments[0].number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{segments[0].discontinuity}",
    ]
    discontinuity = segments[0].discontinuity
    for segment in segments:
        if segment.discontinuity != discontinuity:
            discontinuity = segment.discontinuity
            lines.append("#EXT-X-DISCONTINUITY")
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{format_date(segment.date_us)}")
        lines += [f"#EXTINF:{segment.duration_s:.5f},", f"{FOLDER}/{segment.number}.ts"]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"
