"""The window as one reader follows it: from a key frame on, slot by slot as they arrive.

Such players play from the first picture that they get, and hardly ever catch up: what they begin behind, they stay
behind. A reader is therefore given the next key frame when that is near, else the newest that is here.

A reader pulls: one that stops holds nothing, and when it goes on too far behind, it goes on at the newest key frame.
"""

from collections.abc import AsyncIterator

from gateway.live.segments import Segment, Slot
from gateway.live.window import LiveWindow

LAG_S_MAX = 10.0
"""How far behind the newest segment a reader may be: long enough for a hiccup of a wireless network."""
START_WAIT_S_MAX = 0.7
"""How long a reader is kept waiting for a better place to begin."""
SILENCE_S_MAX = 60.0
"""A stream of which nothing comes for so long is over for its readers."""


async def follow(window: LiveWindow) -> AsyncIterator[tuple[Segment, int]]:
    """Segments and the index of the slot in them, gaps left out. Ends when nothing more will come."""
    await _near_key(window)
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


async def _near_key(window: LiveWindow) -> None:
    """Returns when the next key frame is here, or is not to be waited for."""
    kept = window.kept()
    if not kept or kept[-1].complete:
        return
    last = kept[-1]
    expected_s = window.rhythm.target_duration_s - last.duration_s
    if 0 < expected_s <= START_WAIT_S_MAX:
        await window.wait_for(last.msn + 1, 0, START_WAIT_S_MAX)


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
