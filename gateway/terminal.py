"""How commands speak: what a program may read goes to standard output, what a person reads to standard error."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

from rich.console import Console

from gateway.reports import Report
from gateway.shutdown import unless_stopped

REPORT_EVERY_S = 1.0


def new_console() -> Console:
    """For people: colours and moving lines on a terminal, plain text elsewhere."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def put_out(line: str) -> None:
    """One line for a program, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def ticks(*stops: asyncio.Event, every_s: float = REPORT_EVERY_S) -> AsyncIterator[None]:
    """Once now and then every ``every_s`` until one of the events has come."""
    while not any(stop.is_set() for stop in stops):
        yield
        await unless_stopped(asyncio.sleep(every_s), *stops)


async def keep_reporting(report: Callable[[], Report], *stops: asyncio.Event, as_json: bool, console: Console) -> None:
    """Until an event comes: reports as JSON lines for a program, or one line that changes for a person."""
    if as_json:
        async for _ in ticks(*stops):
            put_out(report().to_line())
    elif console.is_terminal:
        with console.status("") as moving:
            async for _ in ticks(*stops):
                moving.update(describe(report()))
    else:
        said = ""
        async for _ in ticks(*stops):
            now = report()
            if now.state != said:  # in a log only what is new is worth a line
                console.print(describe(now))
                said = now.state


def describe(report: Report) -> str:
    """One line for a person."""
    return (
        f"{report.title or 'Stream'}: {report.state}, {report.peers} peers, delay {seconds(report.delay_s)}, "
        f"received {size(report.bytes_in)}, sent {size(report.bytes_out)}, {report.pieces_lost} pieces lost"
    )


def seconds(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.2f} s"


def size(value_bytes: float) -> str:
    """Bytes as people read them: 12 B, 3.4 MB."""
    if value_bytes < 1000:
        return f"{value_bytes:.0f} B"
    for unit in ("kB", "MB", "GB"):
        value_bytes /= 1000
        if value_bytes < 1000:
            return f"{value_bytes:.1f} {unit}"
    return f"{value_bytes / 1000:.1f} TB"
