"""The times of picture and sound on one line, in 1/90000 s: by when they came, and exactly once the sender says how
its two RTP clocks stand to each other (RFC 3550 section 6.4.1).

The picture's times only ever go on by its own clock. The sound is moved against it: a little with each packet, so that
its times grow, and at once when it is far off.
"""

from gateway.ingest.webrtc.rtp import SenderReport
from gateway.media.mpegts import CLOCK_HZ

LEAP = CLOCK_HZ // 4
"""A difference that is larger is corrected at once."""
STEP = CLOCK_HZ // 1000
"""By so much a packet of sound may be moved."""
LEAD = 10 * CLOCK_HZ
"""Where times begin, so that the sound before the first picture has one too."""


class TrackTime:
    """One RTP clock, unwrapped."""

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._last: int | None = None
        self._report: tuple[int, int] | None = None

    def unwrap(self, timestamp: int) -> int:
        """The timestamp with as many bits as it needs."""
        if self._last is None:
            self._last = timestamp
            return timestamp
        moved = (timestamp - self._last + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        self._last += moved
        return self._last

    def scaled(self, timestamp: int) -> int:
        """An unwrapped timestamp in 1/90000 s."""
        return timestamp * CLOCK_HZ // self._clock_hz

    def report(self, report: SenderReport) -> None:
        """The sender tells its wall clock's time of a timestamp."""
        if self._last is not None:
            moved = (report.timestamp - self._last + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            self._report = (self._last + moved, report.ntp)

    @property
    def wall(self) -> int | None:
        """What the sender's wall clock shows, in 1/90000 s, where this clock is at 0; None before it is known."""
        if self._report is None:
            return None
        timestamp, ntp = self._report
        return (ntp * CLOCK_HZ >> 32) - self.scaled(timestamp)


class Timeline:
    """Both tracks."""

    def __init__(self, *, picture_hz: int, sound_hz: int) -> None:
        self.picture = TrackTime(picture_hz)
        self.sound = TrackTime(sound_hz)
        self._begin: int | None = None
        self._began_s = 0.0
        self._shift: int | None = None

    def picture_time(self, timestamp: int, now: float) -> int:
        """The time of the picture with this RTP timestamp, which has come at ``now``."""
        time = self.picture.scaled(self.picture.unwrap(timestamp))
        if self._begin is None:
            self._begin, self._began_s = time, now
        return time - self._begin + LEAD

    def sound_time(self, timestamp: int, now: float) -> int | None:
        """The time of the packet of sound; None before the first picture."""
        time = self.sound.scaled(self.sound.unwrap(timestamp))
        if self._begin is None:
            return None
        if self._shift is None:
            self._shift = LEAD + round((now - self._began_s) * CLOCK_HZ) - time
        picture_wall, sound_wall = self.picture.wall, self.sound.wall
        if picture_wall is not None and sound_wall is not None:
            off = sound_wall - picture_wall - self._begin + LEAD - self._shift
            self._shift += off if abs(off) > LEAP else max(-STEP, min(STEP, off))
        return time + self._shift
