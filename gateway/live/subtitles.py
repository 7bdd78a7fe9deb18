"""The subtitles of a live window as the WebVTT files of HLS."""

import logging

from gateway.live.window import LiveWindow
from gateway.media.errors import MediaError
from gateway.media.webvtt import render_segment

logger = logging.getLogger(__name__)


def subtitles(window: LiveWindow, msn: int, index: int | None, track: int) -> bytes:
    """A track of text in a whole segment, or in one of its parts; empty when it is not here."""
    segment = window.find(msn)
    info = None if segment is None else segment.init.track(track)
    if segment is None or info is None or info.kind != "text":
        return b""
    if not (segment.complete if index is None else index < len(segment.slots)):
        return b""
    try:
        return render_segment(segment.cues(track, index))
    except MediaError:
        logger.warning("The subtitles of segment %d are damaged", msn)
        return b""
