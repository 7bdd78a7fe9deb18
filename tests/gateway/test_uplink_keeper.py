"""The keeper: counts each month's bytes over restarts, remembers the line, and holds the node to the limits."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.uplink_books import read_books
from gateway.uplink_keeper import UplinkKeeper
from gateway.upload_budget import TRICKLE_BPS, UploadLimit
from swarm.status import UplinkStatus


class Line:
    """A node's uplink as the keeper sees it."""

    def __init__(self) -> None:
        self.status = UplinkStatus(line_bps=3e6, proven=False, cap_bps=0.0, paused=False, sent_bytes=0)
        self.limits: list[UploadLimit] = []
        self.looked_at = asyncio.Event()

    def send(self, size: int) -> None:
        self.status = replace(self.status, sent_bytes=self.status.sent_bytes + size)

    def uplink_status(self) -> UplinkStatus:
        return self.status

    def limit_upload(self, limit: UploadLimit) -> None:
        self.limits.append(limit)
        self.looked_at.set()


class Desk:
    """A folder and a wall clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wall = datetime(2025, 11, 30, 12, tzinfo=UTC)

    def keeper(self, *, cap_bps: float = 0.0, budget_bytes: int = 0) -> UplinkKeeper:
        return UplinkKeeper(self.folder, cap_bps=cap_bps, budget_bytes=budget_bytes, wall=lambda: self.wall)


def test_a_months_bytes_outlive_the_process(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for size in (100, 20):
        keeper, line = desk.keeper(), Line()
        line.send(size)
        keeper.look(line)
        keeper.write()
        keeper.write()  # nothing is counted twice
    assert (read_books(tmp_path).month, read_books(tmp_path).sent_bytes) == ("2025-11", 120)


def test_two_processes_add_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    pairs = [(desk.keeper(), Line()) for _ in range(2)]
    for keeper, line in pairs:
        line.send(50)
        keeper.look(line)
    for keeper, _ in pairs:
        keeper.write()
    assert read_books(tmp_path).sent_bytes == 100


def test_when_the_month_turns_it_begins_again_and_a_pause_ends(tmp_path: Path) -> None:
    desk, line = Desk(tmp_path), Line()
    keeper = desk.keeper(cap_bps=1e6, budget_bytes=1000)
    line.send(1000)
    keeper.look(line)
    assert line.limits[-1] == UploadLimit(TRICKLE_BPS, paused=True)
    desk.wall = datetime(2025, 12, 1, tzinfo=UTC)
    line.send(7)
    keeper.look(line)
    keeper.write()
    assert line.limits[-1] == UploadLimit(1e6)
    assert read_books(tmp_path).sent_bytes == 7


def test_a_line_is_remembered_once_it_is_proven(tmp_path: Path) -> None:
    desk, line = Desk(tmp_path), Line()
    keeper = desk.keeper()
    keeper.look(line)
    keeper.write()
    assert desk.keeper().guess_bps == 0
    line.status = replace(line.status, proven=True)
    keeper.look(line)
    keeper.write()
    assert desk.keeper().guess_bps == 3e6


def test_the_report_counts_up_to_this_moment(tmp_path: Path) -> None:
    line = Line()
    keeper = Desk(tmp_path).keeper(budget_bytes=5000)
    line.send(10)
    keeper.look(line)
    line.send(5)
    report = keeper.report(line.status)
    assert (report.sent_this_month_bytes, report.budget_bytes) == (15, 5000)


def test_the_task_looks_at_once(tmp_path: Path) -> None:
    async def first_look() -> None:
        line = Line()
        task = asyncio.create_task(Desk(tmp_path).keeper(cap_bps=2e6).keep(line))
        await line.looked_at.wait()
        task.cancel()
        assert line.limits == [UploadLimit(2e6)]

    asyncio.run(first_look())
