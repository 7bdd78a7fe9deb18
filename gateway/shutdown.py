"""What ends a process: Ctrl-C, SIGTERM, a closed terminal, or the death of the process that started it.

A child of the demonstration has a pipe as its standard input whose other end only its parent holds. However the
parent dies, SIGKILL included, the system closes that end, and the child reads the end of the file.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

LAST_RESORT_S = 10.0
"""A process that still runs so long after its parent's death hangs; it is ended without further ado."""

T = TypeVar("T")

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def stop_event(*, with_parent: bool = False) -> Iterator[asyncio.Event]:
    """An event that is set when the process is to end; a second Ctrl-C ends it at once.

    ``with_parent``: also when standard input ends.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: _wake(loop, stop)) for number in numbers}
    if with_parent:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def unless_stopped(work: Coroutine[object, object, T], *stops: asyncio.Event) -> T | None:
    """What the work gives, or None when one of the events came first; the work is cancelled then."""
    working = asyncio.create_task(work)
    waiting = [asyncio.create_task(stop.wait()) for stop in stops]
    try:
        await asyncio.wait((working, *waiting), return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, *waiting):
            task.cancel()
        await asyncio.gather(working, *waiting, return_exceptions=True)


def _wake(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if stop.is_set():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    loop.call_soon_threadsafe(stop.set)


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Blocks in a thread of its own, which works for pipes on every system."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)
    time.sleep(LAST_RESORT_S)
    os._exit(1)
