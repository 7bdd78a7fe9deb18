"""What ffmpeg tells of its work once a second, when it is asked by ``-progress``: lines of a name, = and a value."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

PERIOD_S = 1.0
WINDOW_S = 10.0
"""Speed is that of so long."""
WINDOW_S_MIN = 3.0
"""In less time than this an encoder has not got going."""
BLOCK_BYTES_MAX = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Counted since it began. ``speed`` is media time per time, of the last seconds; None before there is enough.

    Frames are dropped and duplicated by an encoder that makes an uneven input even. ``read_bytes`` is what was read of
    files (0.2 MB of it libraries), ``read_bps`` that of the last seconds; None where the system does not say.
    """

    frames: int
    dropped: int
    duplicated: int
    speed: float | None
    read_bytes: int | None = None
    read_bps: int | None = None


class _Seen(NamedTuple):
    at_s: float
    out_us: int
    read_bytes: int | None


class ProgressReader:
    """Fed with bytes as they come; ``newest`` is the last that was whole. Times in seconds are passed in."""

    def __init__(self) -> None:
        self._rest = b""
        self._seen: deque[_Seen] = deque()
        self.newest: Progress | None = None

    def feed(self, data: bytes, now_s: float, read_bytes: int | None = None) -> None:
        """``read_bytes`` is what the process has read by now."""
        *blocks, rest = (self._rest + data).split(b"progress=")
        self._rest = rest[-BLOCK_BYTES_MAX:]
        for block in blocks:
            self._read(block, now_s, read_bytes)

    def _read(self, block: bytes, now_s: float, read_bytes: int | None) -> None:
        values = dict(line.partition(b"=")[::2] for line in block.splitlines())
        if (out_us := _whole(values.get(b"out_time_us", b""))) is not None:
            self._seen.append(_Seen(now_s, out_us, read_bytes))
        while self._seen and self._seen[0].at_s < now_s - WINDOW_S:
            self._seen.popleft()
        speed, read_bps = self._rates()
        self.newest = Progress(
            frames=_whole(values.get(b"frame", b"")) or 0,
            dropped=_whole(values.get(b"drop_frames", b"")) or 0,
            duplicated=_whole(values.get(b"dup_frames", b"")) or 0,
            speed=speed,
            read_bytes=read_bytes,
            read_bps=read_bps,
        )

    def _rates(self) -> tuple[float | None, int | None]:
        if not self._seen or (passed_s := self._seen[-1].at_s - self._seen[0].at_s) < WINDOW_S_MIN:
            return None, None
        first, last = self._seen[0], self._seen[-1]
        speed = (last.out_us - first.out_us) / 1e6 / passed_s
        if first.read_bytes is None or last.read_bytes is None:
            return speed, None
        return speed, round((last.read_bytes - first.read_bytes) * 8 / passed_s)


def _whole(value: bytes) -> int | None:
    """N/A is no number."""
    text = value.strip()
    return int(text) if text.lstrip(b"-").isdigit() else None
