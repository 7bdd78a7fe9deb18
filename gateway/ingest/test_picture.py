"""The test picture: a moving pattern, a wall clock for people, one for machines, and a beep at every full second.

Pure: the time of a frame is passed in, what comes out are raw frames (yuv420p) and samples (mono, 48 kHz, s16le).
Almost all of a frame stays the same, so it is drawn once; a new time redraws the digits that changed, the row of cells
and the moving band.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.ingest.bitmap_font import ADVANCE, GLYPH_HEIGHT, draw_text
from gateway.ingest.clock_code import BAND_HEIGHT, BLACK, LAYOUT_HEIGHT, LAYOUT_WIDTH, WHITE, draw_clock

SAMPLE_RATE = 48_000
BEEP_HZ = 1_000
BEEP_S = 0.1
BEEP_LEVEL = 0.25
BEEP_RAMP_S = 0.004

TITLE_TOP = 44
DIGITS_TOP = 130
MOVING_TOP = 250
MOVING_BOTTOM = 330
LAMP_LEFT = 584
LAMP_SIZE = 36
STRIPE_PERIOD = 160
PIXELS_PER_S = 100
"""How fast the band moves, in layout units."""

# Colour bars as (U, V): white, yellow, cyan, green, magenta, red, blue.
BARS = ((128, 128), (44, 142), (156, 44), (72, 58), (184, 198), (100, 212), (212, 114))
BACKGROUND = 90


class TestPicture:
    """Draws the frames of one stream. ``width`` and ``height`` are even, and at least 160 x 90."""

    __test__ = False  # the name is the thing's own; it is no test case

    def __init__(self, *, width: int, height: int, title: str = "", utc_offset_s: int = 0) -> None:
        if width % 2 or height % 2 or width < 160 or height < 90:
            raise ValueError(f"a test picture is at least 160x90 and even, not {width}x{height}")
        self.width, self.height = width, height
        self._utc_offset_ms = utc_offset_s * 1000
        self._frame = np.empty(width * height * 3 // 2, dtype=np.uint8)
        self._luma = self._frame[: width * height].reshape(height, width)
        self._scale = max(min(width * 8 // LAYOUT_WIDTH, height * 8 // LAYOUT_HEIGHT), 1)
        self._digits = {letter: self._ink(letter, self._scale) for letter in "0123456789:."}
        self._shown = ""
        self._moving = self._stripes()
        self._draw_background(title)

    def frame(self, unix_ms: int) -> memoryview:
        """The frame of this moment; valid until the next call."""
        draw_clock(self._luma, unix_ms)
        self._draw_digits(clock_text(unix_ms + self._utc_offset_ms))
        shift = unix_ms * PIXELS_PER_S // 1000 * self.width // LAYOUT_WIDTH % self._period
        band = slice(self._y(MOVING_TOP), self._y(MOVING_BOTTOM))
        self._luma[band] = self._moving[:, shift : shift + self.width]
        lit = unix_ms % 1000 < BEEP_S * 1000
        self._luma[self._lamp] = WHITE if lit else BLACK
        return self._frame.data

    @property
    def _lamp(self) -> tuple[slice, slice]:
        return (
            slice(self._y(TITLE_TOP), self._y(TITLE_TOP + LAMP_SIZE)),
            slice(self._x(LAMP_LEFT), self._x(LAMP_LEFT + LAMP_SIZE)),
        )

    @property
    def _period(self) -> int:
        return max(STRIPE_PERIOD * self.width // LAYOUT_WIDTH, 2)

    def _draw_digits(self, text: str) -> None:
        advance = ADVANCE * self._scale
        left = (self.width - len(text) * advance) // 2
        top = self._y(DIGITS_TOP)
        for place, letter in enumerate(text):
            if not self._shown or self._shown[place] != letter:
                x = left + place * advance
                self._luma[top : top + GLYPH_HEIGHT * self._scale, x : x + advance] = self._digits[letter]
        self._shown = text

    def _draw_background(self, title: str) -> None:
        self._luma[:] = BACKGROUND
        self._luma[: self._y(BAND_HEIGHT)] = BLACK
        margin = self._scale * 2
        top = self._y(DIGITS_TOP)
        self._luma[top - margin : top + GLYPH_HEIGHT * self._scale + margin] = BLACK
        self._draw_title(title)
        size = self.width * self.height // 4
        chroma = self._frame[self.width * self.height :].reshape(2, self.height // 2, self.width // 2)
        assert chroma.size == 2 * size
        chroma[:] = 128
        band = slice(self._y(MOVING_TOP) // 2, self._y(MOVING_BOTTOM) // 2)
        edges = np.linspace(0, self.width // 2, len(BARS) + 1).astype(int)
        for plane in range(2):
            for bar, start, end in zip(BARS, edges, edges[1:], strict=False):
                chroma[plane, band, start:end] = bar[plane]

    def _draw_title(self, title: str) -> None:
        ink = self._ink(title, max(self._scale * 3 // 8, 1))
        left, top = self._x(16), self._y(TITLE_TOP)
        ink = ink[:, : self._x(LAMP_LEFT - 16) - left]
        self._luma[top : top + ink.shape[0], left : left + ink.shape[1]] = np.maximum(ink, BACKGROUND)

    def _stripes(self) -> NDArray[np.uint8]:
        """One period more than a frame's width of slanted grey stripes, to be shown through a moving window."""
        rows = self._y(MOVING_BOTTOM) - self._y(MOVING_TOP)
        x = np.arange(self.width + self._period)[None, :] + np.arange(rows)[:, None]
        wave: NDArray[np.float64] = np.abs((x % self._period) * 2 - self._period) / self._period
        return (BLACK + wave * (200 - BLACK)).astype(np.uint8)

    def _ink(self, text: str, scale: int) -> NDArray[np.uint8]:
        return np.where(draw_text(text, scale), WHITE, BLACK).astype(np.uint8)

    def _x(self, units: int) -> int:
        return units * self.width // LAYOUT_WIDTH & ~1

    def _y(self, units: int) -> int:
        return units * self.height // LAYOUT_HEIGHT & ~1


def clock_text(unix_ms: int) -> str:
    """``HH:MM:SS.mmm`` of the day."""
    seconds, ms = divmod(unix_ms % 86_400_000, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"


class Beeps:
    """The sound: silence, and a beep of `BEEP_S` from every full second of the wall clock on."""

    def __init__(self, start_us: int) -> None:
        """``start_us``: wall clock of sample 0."""
        self._first = start_us * SAMPLE_RATE // 1_000_000 % SAMPLE_RATE
        t = np.arange(round(BEEP_S * SAMPLE_RATE)) / SAMPLE_RATE
        envelope = np.minimum(np.minimum(t, BEEP_S - t) / BEEP_RAMP_S, 1.0)
        second = np.zeros(SAMPLE_RATE, dtype="<i2")
        second[: t.size] = np.sin(2 * np.pi * BEEP_HZ * t) * envelope * BEEP_LEVEL * 32767
        self._loop = np.concatenate([second, second])

    def samples(self, start: int, end: int) -> bytes:
        """Samples ``start`` .. ``end`` of the stream, at most a second of them."""
        first = (self._first + start) % SAMPLE_RATE
        return self._loop[first : first + end - start].tobytes()
