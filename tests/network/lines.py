"""Lines with a rate, a delay and a short queue, between namespaces; the kernel's own (netem) is not in every kernel.

Each end is a TUN device, from which this process reads packets and into which it writes them, later. Run as
``python -m tests.network.lines``: standard input gets one JSON list of lines; ``ready`` is said when all devices are
there. Each further line of input is answered by a JSON list of ``[in, out]``: how many bytes of IP each line has
carried into its house and out of it. The process ends when its standard input does.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import struct
import sys
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
PACKET_BYTES_MAX = 65_535
QUEUE_S = 0.25
"""What would wait longer than this is dropped, as in a home router that is not too bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From a device in the space of a house to one in the middle of the net; rates in bit/s as the house sees them."""

    house: str
    device: str
    net: str
    net_device: str
    up_bps: float
    down_bps: float
    delay_s: float


def open_device(space: str, name: str) -> int:
    """A new TUN device in a namespace, as a file descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/self/ns/net").open("rb") as home, Path("/run/netns", space).open("rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {space}")
        try:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)
    return device


class OneWay:
    """Packets from one device to another: each takes its time at the rate, one after the other, and then the delay."""

    def __init__(self, source: int, target: int, rate_bps: float, delay_s: float) -> None:
        self._source = source
        self._target = target
        self._rate_bps = rate_bps
        self._delay_s = delay_s
        self._free_s = 0.0
        self.carried_bytes = 0
        """Of all packets that have arrived, with their IP headers."""

        self._travelling: deque[tuple[float, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(source, self._read)

    def _read(self) -> None:
        now = self._loop.time()
        was_idle = not self._travelling
        with suppress(BlockingIOError):
            while True:
                packet = os.read(self._source, PACKET_BYTES_MAX)
                begin_s = max(now, self._free_s)
                if begin_s - now < QUEUE_S:
                    self._free_s = begin_s + len(packet) * 8 / self._rate_bps
                    self._travelling.append((self._free_s + self._delay_s, packet))
        if was_idle and self._travelling:
            self._loop.call_at(self._travelling[0][0], self._arrive)

    def _arrive(self) -> None:
        now = self._loop.time()
        while self._travelling and self._travelling[0][0] <= now + 0.0005:
            with suppress(OSError):
                self.carried_bytes += os.write(self._target, self._travelling.popleft()[1])
        if self._travelling:
            self._loop.call_at(self._travelling[0][0], self._arrive)


def to_json(lines: list[Line]) -> str:
    return json.dumps([asdict(line) for line in lines])


def _lay(line: Line) -> tuple[OneWay, OneWay]:
    """The way into the house, and the way out of it."""
    house, net = open_device(line.house, line.device), open_device(line.net, line.net_device)
    return OneWay(net, house, line.down_bps, line.delay_s), OneWay(house, net, line.up_bps, line.delay_s)


async def _run() -> None:
    ways = [_lay(Line(**values)) for values in json.loads(sys.stdin.readline())]
    over = asyncio.Event()

    def answer() -> None:
        if not sys.stdin.readline():
            over.set()
            return
        print(json.dumps([[way.carried_bytes for way in both] for both in ways]), flush=True)

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), answer)
    print("ready", flush=True)
    await over.wait()


if __name__ == "__main__":
    asyncio.run(_run())
