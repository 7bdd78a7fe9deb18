"""Keeps a node within the user's limits of upload, and its books: one task while the node runs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.uplink_books import read_books, write_books
from gateway.upload_budget import UploadLimit, month_of, upload_limit
from swarm.status import UplinkStatus

LOOK_EVERY_S = 5.0
WRITE_EVERY_S = 180.0


class Uplink(Protocol):
    """The node, as far as this is about its uplink."""

    def uplink_status(self) -> UplinkStatus | None: ...

    def limit_upload(self, limit: UploadLimit) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkReport:
    """The line as the API shows it: bit/s and bytes; 0 for a limit that there is not."""

    line_bps: float
    proven: bool
    cap_bps: float
    paused: bool
    budget_bytes: int
    sent_this_month_bytes: int


def local_time() -> datetime:
    return datetime.now(UTC).astimezone()


class UplinkKeeper:
    """``cap_bps`` and ``budget_bytes`` a calendar month are the user's, 0 for none."""

    def __init__(
        self, folder: Path, *, cap_bps: float, budget_bytes: int, wall: Callable[[], datetime] = local_time
    ) -> None:
        self._folder = folder
        self._cap_bps = cap_bps
        self._budget_bytes = budget_bytes
        self._wall = wall
        self._books = read_books(folder)
        self._unwritten_bytes = 0
        self._counted_bytes = 0

    @property
    def guess_bps(self) -> float:
        """What the line carried the last time, 0 when unknown."""
        return self._books.line_bps

    async def keep(self, uplink: Uplink) -> None:
        """Look often and write seldom, for ever."""
        looks = 0
        while True:
            self.look(uplink)
            if looks and looks % round(WRITE_EVERY_S / LOOK_EVERY_S) == 0:
                await asyncio.to_thread(self.write)
            looks += 1
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self, uplink: Uplink) -> None:
        """Count what was sent, and tell the node what it may send."""
        status = uplink.uplink_status()
        if status is None:
            return
        sent, self._counted_bytes = status.sent_bytes - self._counted_bytes, status.sent_bytes
        month = month_of(self._wall())
        if month != self._books.month:
            self._unwritten_bytes = 0
        self._unwritten_bytes += sent
        self._books = self._books.plus(sent, month=month, line_bps=status.line_bps if status.proven else 0.0)
        uplink.limit_upload(self._limit())

    def write(self) -> None:
        """Add this process's share to what other processes have written; nothing before the first look."""
        if not self._books.month:
            return
        mine, self._unwritten_bytes = self._unwritten_bytes, 0
        there = read_books(self._folder)
        self._books = there.plus(mine, month=self._books.month, line_bps=self._books.line_bps)
        write_books(self._folder, self._books)

    def report(self, status: UplinkStatus) -> UplinkReport:
        return UplinkReport(
            line_bps=status.line_bps,
            proven=status.proven,
            cap_bps=status.cap_bps,
            paused=status.paused,
            budget_bytes=self._budget_bytes,
            sent_this_month_bytes=self._books.sent_bytes + status.sent_bytes - self._counted_bytes,
        )

    def _limit(self) -> UploadLimit:
        return upload_limit(
            cap_bps=self._cap_bps,
            budget_bytes=self._budget_bytes,
            used_bytes=self._books.sent_bytes,
            now=self._wall(),
        )
