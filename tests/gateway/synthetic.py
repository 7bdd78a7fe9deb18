"""A broadcaster for simulations: real parts of ffmpeg's, stamped with any times, without an encoder at work."""

import struct
from dataclasses import dataclass
from functools import cache

from gateway.live import LiveWindow
from gateway.media.description import MediaDescription
from gateway.media.parts import InitSegment, Part
from gateway.media.payload import PieceSlice
from gateway.media.text_track import make_text_part, with_texts
from gateway.media.webvtt import Cue
from tests.gateway.media_fixture import PIECE_US, stream

START_US = 1_800_000_000_000_000
AAC_FRAME = 1024
PIECES_A_SEGMENT = 5
CUE_EVERY_US = 2_000_000
CUE_US = 1_500_000


@cache
def templates() -> tuple[InitSegment, Part, Part, dict[int, Part]]:
    """Init segment, a video part with a key frame, one without, and audio parts by their number of frames."""
    source = stream(size="64x48")
    video, sound = source.init.tracks
    pictures = source.of_track(video.track)
    frames = {part.duration // AAC_FRAME: part for part in source.of_track(sound.track)}
    sounds = {count: part for count, part in frames.items() if part.duration == count * AAC_FRAME}
    return source.init, pictures[0], pictures[1], sounds


def stamped(part: Part, decode_time: int) -> Part:
    """The part at another time: tfdt of version 1, ISO/IEC 14496-12 section 8.8.12."""
    data = bytearray(part.data)
    struct.pack_into(">q", data, data.index(b"tfdt") + 8, decode_time)
    return Part(track=part.track, key=part.key, decode_time=decode_time, duration=part.duration, data=bytes(data))


@dataclass
class Broadcaster:
    """Makes pieces of 0.2 s; ``lengths`` are the numbers of pieces of its segments, used in turn, ``texts`` the
    languages of its subtitles: a cue of 1.5 s every other second."""

    epoch: int = 1
    number: int = 1000
    segment: int = 5000
    discontinuity: int = 0
    now_us: int = START_US
    lengths: tuple[int, ...] = (PIECES_A_SEGMENT,)
    texts: tuple[str, ...] = ()
    _index: int = 0
    _media_us: int = 0
    _begun: int = 0

    @property
    def description(self) -> MediaDescription:
        longest_s = max(self.lengths) * PIECE_US / 1e6
        init = templates()[0]
        init = with_texts(init, self.texts) if self.texts else init
        return MediaDescription(init=init.data, part_target_s=0.2, segment_target_s=longest_s)

    def begin_epoch(self, *, pause_us: int, lengths: tuple[int, ...]) -> None:
        """A new input after a pause, with times of its own."""
        self.epoch += 1
        self.discontinuity += 1
        self.now_us += pause_us
        self.segment += 1
        self.lengths, self._index, self._media_us, self._begun = lengths, 0, 0, 0

    def make(self) -> tuple[int, int, int, PieceSlice]:
        """The next piece: number, epoch, capture time, content."""
        _, key, other, _ = templates()
        video = stamped(other if self._index else key, self._media_us * 12_800 // 1_000_000)
        content = PieceSlice(
            segment=self.segment,
            index=self._index,
            discontinuity=self.discontinuity,
            parts=(video, *self._sound(), *self._subtitles()),
        )
        made = (self.number, self.epoch, self.now_us, content)
        self._step()
        return made

    def _sound(self) -> tuple[Part, ...]:
        """The audio frames that start within the piece."""
        first = -(-self._media_us * 48 // (1000 * AAC_FRAME))
        after = -(-(self._media_us + PIECE_US) * 48 // (1000 * AAC_FRAME))
        return (stamped(templates()[3][after - first], first * AAC_FRAME),)

    def _subtitles(self) -> tuple[Part, ...]:
        end_us = self._media_us + PIECE_US
        begins = range(self._media_us // CUE_EVERY_US * CUE_EVERY_US, end_us, CUE_EVERY_US)
        cues = [Cue(begin_us, begin_us + CUE_US, f"at {begin_us}") for begin_us in begins]
        first = len(templates()[0].tracks) + 1
        numbers = range(first, first + len(self.texts))
        return tuple(make_text_part(number, cues, self._media_us, end_us) for number in numbers)

    def _step(self) -> None:
        self.number += 1
        self.now_us += PIECE_US
        self._media_us += PIECE_US
        self._index += 1
        if self._index == self.lengths[self._begun % len(self.lengths)]:
            self._begun += 1
            self._index = 0
            self.segment += 1


def give(window: LiveWindow, piece: tuple[int, int, int, PieceSlice]) -> None:
    number, epoch, capture_us, content = piece
    window.add_piece(number, epoch, capture_us, PIECE_US, content)
