"""A process ends by a signal, and with its parent however that dies."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

WAITING = """
import asyncio
from gateway.serving import run
from gateway.shutdown import stop_event

async def main():
    with stop_event(with_parent=True) as stop:
        print("ready", flush=True)
        await stop.wait()
        print("stopped", flush=True)

run(main())
"""

# A parent that starts the process above with a pipe, tells its id, and waits to be killed.
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {WAITING!r}], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""


@contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_in_order(number: signal.Signals) -> None:
    with started(WAITING) as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.read() == "stopped\n"
        assert process.wait() == 0


def test_the_end_of_standard_input_ends_the_process() -> None:
    with started(WAITING) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.stdout is not None
        assert process.stdout.read() == "stopped\n"
        assert process.wait() == 0


def test_a_child_ends_when_its_parent_is_killed() -> None:
    with started(PARENT) as parent:
        parent.kill()
        assert parent.stdout is not None
        assert parent.stdout.read() == "stopped\n"  # said by the child, which holds the same standard output
