"""`seedcast demo`: starts the demonstration, shows it on the terminal, and leaves no process behind."""

import asyncio
import os
import sys
from contextlib import closing, suppress
from dataclasses import replace

from rich.console import Console
from rich.live import Live

from gateway.commands.watch import open_browser
from gateway.demo.supervisor import Demo, Plan
from gateway.demo.view import line, table
from gateway.serving import listen, url_of
from gateway.shutdown import stop_event, unless_stopped
from gateway.terminal import put_out, ticks

LINE_EVERY_S = 5.0


async def run_demo(plan: Plan, *, with_browser: bool, console: Console) -> None:
    """Run until stopped. Raises CannotStart, and SystemExit when the demonstration broke off."""
    with closing(listen(plan.host, plan.port)) as listener:  # says before anything is started that the port is in use
        plan = replace(plan, port=listener.getsockname()[1], url=url_of(listener))
    demo = Demo(plan, tell=console.print)
    with stop_event() as stop:
        try:
            await unless_stopped(demo.start(), stop)
            if stop.is_set():
                return
            put_out(plan.url)
            if with_browser and has_screen():
                await open_browser(plan.url)
            broke_off = await _show(demo, stop, console)
        finally:
            with suppress(OSError):  # the terminal may be gone
                console.print("Ending all processes...")
            await demo.stop()
    if broke_off:
        sys.exit(1)


async def _show(demo: Demo, stop: asyncio.Event, console: Console) -> bool:
    """Show how it goes until the stop, or until it cannot go on, which is True."""
    refreshing = asyncio.create_task(demo.refresh())
    ending = asyncio.create_task(demo.wait())
    ending.add_done_callback(lambda _: stop.set())
    try:
        await (_draw(demo, stop, console) if console.is_terminal else _log(demo, stop, console))
    finally:
        refreshing.cancel()
        over = ending.done() and not ending.cancelled()
        ending.cancel()
    return over


async def _draw(demo: Demo, stop: asyncio.Event, console: Console) -> None:
    with Live(table(demo), console=console, auto_refresh=False) as live:
        async for _ in ticks(stop):
            live.update(table(demo), refresh=True)


async def _log(demo: Demo, stop: asyncio.Event, console: Console) -> None:
    async for _ in ticks(stop, every_s=LINE_EVERY_S):
        console.print(line(demo))


def has_screen() -> bool:
    """Whether a browser window can be opened, rather than one in this terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
