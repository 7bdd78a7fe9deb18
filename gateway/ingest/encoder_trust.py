"""Which encoders in hardware may be used: those that passed their trial, until one fails on air.

untried --trial--> works --fails soon, or twice within a while--> rests --REST_S--> untried, and must pass a trial again
              `--> does not work, for good                          ^----trial failed----'

A crash of ffmpeg says less: what it reads may be to blame as well. The stream that it was of goes on without the
encoder, which must pass a trial before it is used again; when two streams have crashed it rests.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from gateway.ingest.errors import EncoderCrashed, EncoderFailed
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.numbering import Numbering

SOON_S = 30.0
"""Who fails so soon after the start will fail again. One that hangs from its first picture is noticed later than that
by a start, the time in which the pipes fill, and `supervision.HANG_S`."""
TWICE_WITHIN_S = 300.0
"""One failure after hours may be a driver's restart; two so close together are not."""
REST_S = 600.0
"""For so long no broadcast uses it."""

Clock = Callable[[], float]
Kind = tuple[Ffmpeg, str]
"""An encoder by its name, as one ffmpeg drives it."""


class EncoderTrust:
    """What is known of the encoders, by all broadcasts of this process. A stream is told by its numbering."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._outcomes: dict[Kind, bool] = {}
        self._failed_s: dict[Kind, float] = {}
        self._crashed: dict[Kind, dict[Numbering, float]] = {}
        self._rests_until_s: dict[Kind, float] = {}
        self._trying = threading.Lock()

    def works(self, ffmpeg: Ffmpeg, encoder: str, stream: Numbering | None = None) -> bool | None:
        """Whether it may be used, for this stream; None when a trial has to tell."""
        return False if self.rests(ffmpeg, encoder, stream) else self._outcomes.get((ffmpeg, encoder))

    def rests(self, ffmpeg: Ffmpeg, encoder: str, stream: Numbering | None = None) -> bool:
        """Whether it is not used for a while, because it failed: at all, or for this stream."""
        until_s = self._rests_until_s.get((ffmpeg, encoder), -inf)
        if stream is not None:
            until_s = max(until_s, self._crashed.get((ffmpeg, encoder), {}).get(stream, -inf))
        return self._clock() < until_s

    def try_out(self, ffmpeg: Ffmpeg, encoder: str, trial: Callable[[], bool], stream: Numbering | None = None) -> bool:
        """Whether it may be used, by its trial if that has to tell: one at a time, since hardware may take no two."""
        with self._trying:
            if self.works(ffmpeg, encoder, stream) is None:
                self.tried(ffmpeg, encoder, works=trial())
            return self.works(ffmpeg, encoder, stream) is True

    def tried(self, ffmpeg: Ffmpeg, encoder: str, *, works: bool) -> None:
        """What its trial has shown; one that worked once is tried again later."""
        kind = ffmpeg, encoder
        if self.rests(ffmpeg, encoder):
            return  # it has failed on air meanwhile, which says more
        if not works and (kind in self._rests_until_s or kind in self._crashed):
            self._rest(kind)
        else:
            self._outcomes[kind] = works

    def failed(self, ffmpeg: Ffmpeg, encoder: str, lasted_s: float) -> None:
        """It has failed on air, so long after its ffmpeg was started."""
        kind, now_s = (ffmpeg, encoder), self._clock()
        before_s = self._failed_s.get(kind, -inf)
        if now_s - lasted_s < before_s:
            return  # what ended another broadcast then ends this one now, and is one failure
        self._failed_s[kind] = now_s
        if lasted_s < SOON_S or now_s - before_s < TWICE_WITHIN_S:
            self._rest(kind)

    def crashed(self, ffmpeg: Ffmpeg, encoder: str, stream: Numbering) -> None:
        """The ffmpeg of this stream has crashed with it at work."""
        kind, now_s = (ffmpeg, encoder), self._clock()
        recent = {other: until_s for other, until_s in self._crashed.get(kind, {}).items() if now_s < until_s}
        self._crashed[kind] = recent | {stream: now_s + REST_S}
        self._outcomes.pop(kind, None)
        if recent.keys() - {stream}:
            self._rest(kind)

    def _rest(self, kind: Kind) -> None:
        self._rests_until_s[kind] = self._clock() + REST_S
        self._outcomes.pop(kind, None)


TRUST = EncoderTrust()


@contextmanager
def judging(ffmpeg: Ffmpeg, encoder: str, stream: Numbering) -> Iterator[None]:
    """Notes when the ffmpeg that runs meanwhile for this stream fails by the fault of this encoder."""
    began_s = time.monotonic()
    try:
        yield
    except EncoderCrashed:
        TRUST.crashed(ffmpeg, encoder, stream)
        raise
    except EncoderFailed:
        TRUST.failed(ffmpeg, encoder, time.monotonic() - began_s)
        raise
