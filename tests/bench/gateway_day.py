"""A day of broadcast in minutes: a window and its MPEG-TS on a clock that is sped up, looked at once a minute.

Begins twenty hours into the media's own time, so that what counts in 32 and in 33 bits wraps within the day: sound's
decode times at 24.9 h, MPEG-TS at 26.5 h.
"""

import gc
import re
import resource
import struct
import time
from itertools import pairwise
from pathlib import Path

from gateway.live import LiveWindow
from gateway.live.transport import TransportStreams
from gateway.media.fragments import read_fragment
from tests.gateway.media_fixture import PIECE_US
from tests.gateway.synthetic import PIECES_A_SEGMENT, Broadcaster, give

BEGIN_H = 20
LOOK_EVERY = 60 * PIECES_A_SEGMENT
SETTLED_LOOKS = 10
WRAP = 1 << 33
CLOCK_HZ = 90_000
PTS_SLACK = 2


def play_day(hours: float) -> dict[str, float | int]:
    """Raises AssertionError where something is wrong. Looks taken, megabytes grown since all was full, seconds."""
    source, began_s = Broadcaster(), time.monotonic()
    source._media_us = BEGIN_H * 3600 * 1_000_000
    window, transports = LiveWindow(30.0, clock=lambda: source.now_us / 1e6), TransportStreams(2.0)
    window.set_description(source.epoch, source.description)
    looks, settled_mb = 0, 0.0
    newest_msn, newest_line = -1, -1
    for count in range(1, round(hours * 3600 * 1_000_000 / PIECE_US) + 1):
        piece = source.make()
        give(window, piece)
        if count % LOOK_EVERY == 0:
            looks += 1
            newest_msn = _look_at_playlist(window, newest_msn)
            _look_at_times(window, source)
            newest_line = _look_at_transport(window, transports, newest_line)
            if looks == SETTLED_LOOKS:
                settled_mb = resident_mb()
    gc.collect()
    return {
        "day_hours": hours,
        "day_looks": looks,
        "day_grown_mb": resident_mb() - settled_mb,
        "day_took_s": time.monotonic() - began_s,
    }


def _look_at_playlist(window: LiveWindow, before: int) -> int:
    """Numbers are consecutive, and a minute is sixty of them."""
    text = window.playlist(None).decode()
    first = int(re.search(r"MEDIA-SEQUENCE:(\d+)", text)[1])  # type: ignore[index]
    numbers = [int(number) for number in re.findall(r"^muxed/(\d+)\.m4s", text, re.MULTILINE)]
    assert numbers == list(range(first, first + len(numbers)))
    assert before < 0 or numbers[-1] == before + LOOK_EVERY // PIECES_A_SEGMENT
    assert "GAP" not in text
    assert "DISCONTINUITY\n" not in text
    return numbers[-1]


def _look_at_times(window: LiveWindow, source: Broadcaster) -> None:
    """Decode times of both tracks go on without a hole, and the newest is where the source is."""
    for track in (1, 2):
        parts = [
            (read_fragment(part.data, segment.init.track(track)), segment.init.track(track))
            for segment in window.kept()
            for slot in segment.slots
            for part in slot.tracks[track]
        ]
        for (one, _), (other, _) in pairwise(parts):
            assert other.decode_time == one.decode_time + one.duration
        last, info = parts[-1]
        assert info is not None
        end_s = (last.decode_time + last.duration) / info.timescale
        assert abs(end_s - source._media_us / 1e6) < 0.05


def _look_at_transport(window: LiveWindow, transports: TransportStreams, before: int) -> int:
    """Clock references go on, modulo 2**33, and segments are numbered without a hole."""
    made = transports.of(window)
    lines = made.lines()
    numbers = [line.number for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[-1] > before
    clocks = [clock for number in numbers for clock in _clocks(b"".join(made.segment(number)))]
    for one, other in pairwise(clocks):
        assert 0 <= (other - one) % WRAP <= CLOCK_HZ, (one, other)
    return numbers[-1]


def _clocks(packets: bytes) -> list[int]:
    """Programme clock references, in 90 kHz: ISO/IEC 13818-1 section 2.4.3.5."""
    found = []
    for at in range(0, len(packets), 188):
        has_field, length, flags = packets[at + 3] & 0x20, packets[at + 4], packets[at + 5]
        if has_field and length and flags & 0x10:
            (high,) = struct.unpack_from(">I", packets, at + 6)
            found.append(high << 1 | packets[at + 10] >> 7)
    return found


def resident_mb() -> float:
    """Of this process, now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
