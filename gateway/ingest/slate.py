"""The slate: a still picture with a stream's title, for the time in which nobody pushes. Pure."""

import numpy as np

from gateway.ingest.bitmap_font import ADVANCE, GLYPH_HEIGHT, draw_text

BACKGROUND = 28
INK = 200
SHADE = 70
TITLE_SHARE = 0.8
"""Of the picture's width, what the longest title takes; what is longer than fits is cut."""
SCALE_MAX_SHARE = 1 / 60
NOTICE = "OFF AIR"
"""What stands below the title, smaller."""


def draw_slate(title: str, *, width: int, height: int) -> bytes:
    """The picture as a PGM file (netpbm's pgm(5)): grey, binary, eight bits."""
    canvas = np.full((height, width), BACKGROUND, dtype=np.uint8)
    room = int(width * TITLE_SHARE) // ADVANCE
    text = title.strip()[:room]
    scale = max(1, min(room // max(len(text), 1), int(height * SCALE_MAX_SHARE)))
    middle = height // 2
    _write(canvas, text, scale, middle - GLYPH_HEIGHT * scale, INK)
    below = max(1, min(scale // 2, room // len(NOTICE)))
    _write(canvas, NOTICE, below, middle + GLYPH_HEIGHT * scale, SHADE)
    return b"P5\n%d %d\n255\n" % (width, height) + canvas.tobytes()


def _write(canvas: np.ndarray[tuple[int, int], np.dtype[np.uint8]], text: str, scale: int, top: int, ink: int) -> None:
    """Centred, with its upper edge at ``top``."""
    if not text:
        return
    dots = draw_text(text, scale)
    rows, columns = dots.shape
    left = (canvas.shape[1] - columns) // 2
    canvas[top : top + rows, left : left + columns][dots] = ink
