"""A demonstration run for tests and benchmarks: the product's own supervisor, in a thread.

The browser's driver wants the main thread and its event loop for itself.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.demo.supervisor import Demo, Plan


class Stage:
    """A running demonstration with so many relays; ``tell`` is given what it says."""

    def __init__(
        self,
        viewers: int,
        *,
        source: str = "test",
        ladder: tuple[str, ...] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        plan = Plan(source=source, viewers=viewers, ladder=ladder, host="127.0.0.1", port=port, url=self.url)
        self.demo = Demo(plan, tell=tell)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> "Stage":
        self._thread.start()
        try:
            self._call(self.demo.start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self.demo.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def kill(self, count: int) -> None:
        """SIGKILL for so many relays that still live."""
        for relay in [relay for relay in self.demo.relays if relay.exit_code is None][:count]:
            os.kill(relay.pid, signal.SIGKILL)

    def source_multiple(self) -> float:
        assert self.demo.broadcaster is not None
        report = self.demo.broadcaster.report
        assert report is not None
        return report.bytes_out / report.payload_bytes

    def pieces_lost(self) -> int:
        reports = [relay.report for relay in self.demo.relays if relay.exit_code is None]
        return sum(report.pieces_lost for report in reports if report is not None)

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
