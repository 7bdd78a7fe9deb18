"""How commands speak: what a program may read goes to standard output, what a person reads to standard error."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

from rich.console import Console
from rich.markup import escape

from gateway.errors import CannotStart
from gateway.reports import Figures, Report
from gateway.shutdown import unless_stopped
from swarm.link import short_name
from swarm.units import StreamId

REPORT_EVERY_S = 1.0


def new_console() -> Console:
    """For people: colours and moving lines on a terminal, plain text elsewhere."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def put_out(line: str) -> None:
    """One line for a program, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ask_secret(what: str, console: Console, *, twice: bool = False) -> str:
    """A secret that a person types unseen, or the first line that a program writes.

    ``twice``: to be typed again, where a mistake would be noticed late. Raises CannotStart when the two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    secret = console.input(f"{what}: ", password=True)
    if twice and console.input(f"{what}, once more: ", password=True) != secret:
        raise CannotStart("The two are not the same. Type it again.")
    return secret


def confirm(question: str, console: Console) -> bool:
    """Whether a person at a terminal says yes; a program has to say so by an option."""
    return sys.stdin.isatty() and console.input(f"{question} Type yes: ").strip().lower() == "yes"


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


def named(title: str, stream: StreamId) -> str:
    """A stream for a person, in rich's markup: anybody may choose any title, so its key stands beside it."""
    return f"{escape(title or 'Stream')} ({short_name(stream)})"


def describe(report: Report) -> str:
    """One line for a person, in rich's markup."""
    key = f" ({report.key})" if report.key else ""
    line = (
        f"{escape(report.title or 'Stream')}{key}: {report.state}, {report.peers} peers, "
        f"delay {seconds(report.delay_s)}, received {size(report.bytes_in)}, sent {size(report.bytes_out)}, "
        f"{report.pieces_lost} pieces lost"
    )
    return f"{line}; {escape(describe_input(report.broadcast))}" if report.broadcast is not None else line


def describe_input(figures: Figures) -> str:
    """What goes on air, and what is wrong with it."""
    parts = [
        f"{figures.video or 'no picture yet'} {figures.audio}".strip(),
        f"{figures.fps:g} fps",
        f"in {rate(figures.in_bps)}, out {rate(figures.out_bps)}",
        f"a key frame every {seconds(figures.gop_s or None)}",
    ]
    parts += [f"speed {figures.speed:.2f}"] if figures.speed is not None else []
    parts += [f"{figures.frames_dropped} frames dropped"] if figures.frames_dropped else []
    parts += [f"encoder {seconds(figures.encoder_delay_s)} behind"] if figures.encoder_delay_s is not None else []
    parts += [f"opened {figures.restarts} times anew"] if figures.restarts else []
    parts += [f"ffmpeg says: {figures.complaint}"] if figures.complaint else []
    return " - ".join([", ".join(parts), *figures.warnings])


def seconds(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.2f} s"


def rate(value_bps: float | None) -> str:
    """Bits per second as people read them."""
    return "-" if value_bps is None else f"{value_bps / 1e6:.2f} Mbit/s"


def size(value_bytes: float) -> str:
    """Bytes as people read them: 12 B, 3.4 MB."""
    if value_bytes < 1000:
        return f"{value_bytes:.0f} B"
    for unit in ("kB", "MB", "GB"):
        value_bytes /= 1000
        if value_bytes < 1000:
            return f"{value_bytes:.1f} {unit}"
    return f"{value_bytes / 1000:.1f} TB"
