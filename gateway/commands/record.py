"""`seedcast record`: a stream into a file that plays while it grows."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from gateway.app import Gateway
from gateway.errors import CannotStart
from gateway.live import LiveWindow
from gateway.problems import Problem
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import put_out
from gateway.timeshift.recording import Format, Outcome, Recording
from swarm.link import Link


async def run_record(settings: Settings, link: Link, path: Path, *, rung: str | None, console: Console) -> None:
    """Record a stream, or that rendition of it, until the broadcast is over or we are stopped.

    Raises CannotStart, and MediaError when the stream does not fit into the format.
    """
    form = _format_of(path)
    with stop_event() as stop:
        # The past on disk belongs to the gateway that may run beside.
        gateway = Gateway(settings.model_copy(update={"timeshift_s": 0.0}))
        async with gateway.running():
            channel = gateway.channels.add(link)
            recording = Recording(path, form, gateway.transports)
            console.print(f"Recording into {path}. Ctrl-C ends it; it can be played meanwhile.")
            working = asyncio.create_task(_record(recording, lambda: channel.watch(rung)))
            working.add_done_callback(lambda _: stop.set())
            await stop.wait()
            if not working.done():
                working.cancel()
            (outcome,) = await asyncio.gather(working, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome
    _tell(recording, outcome, console)


async def _record(recording: Recording, watch: Callable[[], Awaitable[LiveWindow]]) -> Outcome:
    """Raises CannotStart with what is to be done."""
    try:
        return await recording.run(watch)
    except FileExistsError as error:
        raise CannotStart(f"{error.filename} is there already. Choose another name.") from error
    except (OSError, Problem) as error:
        raise CannotStart(f"The recording has ended: {error}") from error


def _format_of(path: Path) -> Format:
    try:
        form = Format(path.suffix.removeprefix(".").lower())
    except ValueError as error:
        raise CannotStart(f"{path.name}: the name must end in .mp4 or .ts.") from error
    if path.exists():
        raise CannotStart(f"{path} is there already. Choose another name.")
    if not path.parent.is_dir():
        raise CannotStart(f"There is no folder {path.parent}.")
    return form


def _tell(recording: Recording, outcome: object, console: Console) -> None:
    why = {
        Outcome.ENDED: "The broadcast is over.",
        Outcome.SILENT: "Nothing has come for a minute.",
    }.get(outcome, "Stopped.")  # type: ignore[call-overload]
    console.print(f"{why} {recording.seconds:.0f} s, {recording.tape.size_bytes / 1e6:.1f} MB recorded.")
    for path in recording.tape.files:
        put_out(str(path))
