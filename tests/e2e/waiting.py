"""Waiting for what other processes come to by themselves."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(done: Callable[[], bool]) -> None:
    """Returns when ``done`` says so; AssertionError when it does not come to that in a minute."""
    until_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < until_s, "it did not come to that"
        time.sleep(0.05)
