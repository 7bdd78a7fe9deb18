"""The cues of an input's subtitles, until they have been shown: parts of text for each part of picture."""

from collections import deque
from collections.abc import Sequence

from gateway.media.parts import InitSegment, Part
from gateway.media.text_track import make_text_part, with_texts
from gateway.media.webvtt import Cue, SubRipReader

CUES_KEPT = 64
"""Of one language; of an input that has more at once, the newest."""


class Subtitles:
    """All languages of one epoch. ``languages`` as in ISO 639-2/T."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = tuple(languages)
        self._readers = [SubRipReader() for _ in languages]
        self._cues: list[deque[Cue]] = [deque(maxlen=CUES_KEPT) for _ in languages]
        self._first_track = 0

    def describe(self, init: InitSegment) -> InitSegment:
        """The init segment with the tracks of text. Raises MediaError."""
        if not self._languages:
            return init
        extended = with_texts(init, self._languages)
        self._first_track = max(track.track for track in init.tracks) + 1
        return extended

    def feed(self, number: int, data: bytes) -> None:
        """What ffmpeg wrote of the language with this number."""
        self._cues[number].extend(self._readers[number].feed(data))

    def parts(self, media_us: int, duration_us: int) -> tuple[Part, ...]:
        """What is shown from then on for so long, in every language; what has been shown is forgotten."""
        end_us = media_us + duration_us
        parts = []
        for number, cues in enumerate(self._cues):
            parts.append(make_text_part(self._first_track + number, cues, media_us, end_us))
            self._cues[number] = deque((cue for cue in cues if cue.end_us > end_us), CUES_KEPT)
        return tuple(parts)
