"""Whole segments of real media, as a live window hands them over."""

from functools import cache

from gateway.live import LiveWindow
from gateway.live.segments import Segment
from gateway.media.hls import SegmentLine
from tests.gateway.media_fixture import CAPTURE_US, feed, slices, stream


@cache
def whole_segments(seconds: float = 8) -> tuple[Segment, ...]:
    """Of a second each, numbered from 100 on."""
    kept: list[Segment] = []
    window = recorded(kept, seconds=seconds)
    window.end()
    return tuple(kept)


def recorded(
    kept: list[Segment], *, seconds: float = 8, before: SegmentLine | None = None, capture_us: int = CAPTURE_US
) -> LiveWindow:
    """A window that has a stream in it, and what it has handed over."""
    window = LiveWindow(keep=kept.append, before=before)
    window.set_description(7, stream(seconds=seconds).description)
    feed(window, slices(stream(seconds=seconds)), capture_us=capture_us)
    return window
