"""The window as one reader follows it: from the newest key frame on, slot by slot as they arrive.

A reader pulls: one that stops holds nothing, and when it goes on too far behind, it goes on at the newest key frame.
"""

from collections.abc import AsyncIterator

from gateway.live.segments import Segment, Slot
from gateway.live.window import LiveWindow

LAG_S_MAX = 10.0
"""How far behind the newest segment a reader may be: long enough for a hiccup of a wireless network."""
SILENCE_S_MAX = 60.0
"""A stream of which nothing comes for so long is over for its readers."""


async def follow(window: LiveWindow) -> AsyncIterator[tuple[Segment, int]]:
    """Segments and the index of the slot in them, gaps left out. Ends when nothing more will come."""
    place = newest_key(window)
    while place is not None:
        msn, index = place
        segment = window.find(msn)
        if segment is None or lag_s(window, msn) > LAG_S_MAX:
            place = newest_key(window)
        elif index < len(segment.slots):
            place = (msn, index + 1)
            if not segment.slots[index].gap:
                yield segment, index
        elif segment.complete and window.find(msn + 1) is not None:
            place = (msn + 1, 0)
        elif not await window.wait_for(msn, index, SILENCE_S_MAX):
            return


def newest_key(window: LiveWindow) -> tuple[int, int] | None:
    """Segment and slot of the newest key frame; of the newest slot of all when there is none."""
    for segment in reversed(window.kept()):
        keys = [index for index, slot in enumerate(segment.slots) if is_start(slot)]
        if keys:
            return segment.msn, keys[-1]
    last = window.kept()[-1] if window.kept() else None
    return (last.msn, max(len(last.slots) - 1, 0)) if last else None


def is_start(slot: Slot) -> bool:
    """Whether a player can begin at this slot."""
    return slot.key and not slot.gap


def lag_s(window: LiveWindow, msn: int) -> float:
    """How much has come since a segment ended."""
    lag = 0.0
    for segment in reversed(window.kept()):
        if segment.msn <= msn:
            break
        lag += segment.duration_s
    return lag
