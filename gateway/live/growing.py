"""The bytes of a segment while it grows: each part as soon as it is here, up to the segment's end.

A reader pulls one part at a time, and between two of them nothing of the window is held for it: one that stops reading
costs what its socket has taken, and finds the segment gone when it comes back too late.
"""

from collections.abc import AsyncIterator

from gateway.live.window import LiveWindow


async def grow(window: LiveWindow, msn: int, track: int | None) -> AsyncIterator[bytes]:
    """A segment's parts as they arrive; ends with the segment, or when nothing comes for too long."""
    index = 0
    while (progress := _progress(window, msn)) is not None:
        slots, complete = progress
        if index < slots:
            index += 1
            if window.part(msn, index - 1, track):
                yield b"".join(window.part(msn, index - 1, track))
        elif complete or not await window.wait_for(msn, index, window.rhythm.reload_timeout_s):
            return


def _progress(window: LiveWindow, msn: int) -> tuple[int, bool] | None:
    """How many slots of a segment are filled, and whether that is all; None when it is not here."""
    segment = window.find(msn)
    return None if segment is None else (len(segment.slots), segment.complete)
