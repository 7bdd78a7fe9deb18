"""The user's monthly budget of upload: what may be sent at this moment, so that it lasts to the end of the month."""

from dataclasses import dataclass
from datetime import datetime

FREE_SHARE = 0.8
"""Share of the budget that may go at any rate; the rest is stretched over what is left of the month."""

HASTE = 2.0
"""The rest may go so many times faster than evenly: nobody watches all day. It still lasts, because the rate shrinks
with what is left."""

TRICKLE_BPS = 16_000.0
"""The least cap: what a node needs to watch, control messages and acknowledgements, passes it anyhow."""


@dataclass(frozen=True, slots=True)
class UploadLimit:
    """``cap_bps`` in bit/s, 0 for none; ``paused`` when nothing may be relayed."""

    cap_bps: float
    paused: bool = False


def month_of(when: datetime) -> str:
    """The calendar month of the user's time zone: ``2025-11``."""
    return f"{when:%Y-%m}"


def upload_limit(*, cap_bps: float, budget_bytes: int, used_bytes: int, now: datetime) -> UploadLimit:
    """What may be sent now, by the user's cap (0: none) and monthly budget (0: none)."""
    if not budget_bytes:
        return UploadLimit(cap_bps)
    left_bytes = budget_bytes - used_bytes
    if left_bytes <= 0:
        return UploadLimit(min(cap_bps or TRICKLE_BPS, TRICKLE_BPS), paused=True)
    if used_bytes < FREE_SHARE * budget_bytes:
        return UploadLimit(cap_bps)
    even_bps = left_bytes * 8 / _seconds_left(now)
    rate_bps = max(TRICKLE_BPS, HASTE * even_bps)
    return UploadLimit(min(cap_bps or rate_bps, rate_bps))


def _seconds_left(now: datetime) -> float:
    """Until the month turns, at least an hour: a change of the clocks is no reason to hurry."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    turn = first.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)
    return max(3600.0, (turn - now).total_seconds())
