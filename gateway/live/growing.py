"""The bytes of a segment while it grows: each part as soon as it is here, up to the segment's end.

A reader is given one part at a time and pulls the next when it has taken that: one that stops reading holds nothing.
"""

from collections.abc import AsyncIterator

from gateway.live.window import LiveWindow


async def grow(window: LiveWindow, msn: int, track: int | None) -> AsyncIterator[bytes]:
    """A segment's parts as they arrive; ends with the segment, or when nothing comes for too long."""
    index = 0
    while (segment := window.find(msn)) is not None:
        if index < len(segment.slots):
            data = b"".join(segment.slots[index].buffers(track))
            index += 1
            if data:
                yield data
        elif segment.complete or not await window.wait_for(msn, index, window.rhythm.reload_timeout_s):
            return
