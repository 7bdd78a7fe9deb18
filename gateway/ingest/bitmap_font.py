"""Letters of 5 x 7 dots for the test picture, so that it needs no font file.

Each glyph is seven rows from top to bottom; in a row the highest of five bits is the leftmost dot.
"""

import numpy as np
from numpy.typing import NDArray

GLYPH_WIDTH = 5
GLYPH_HEIGHT = 7
ADVANCE = GLYPH_WIDTH + 1
"""Dots from one letter to the next."""

_ROWS = {
    " ": "00 00 00 00 00 00 00",
    "0": "0e 11 13 15 19 11 0e",
    "1": "04 0c 04 04 04 04 0e",
    "2": "0e 11 01 02 04 08 1f",
    "3": "1f 02 04 02 01 11 0e",
    "4": "02 06 0a 12 1f 02 02",
    "5": "1f 10 1e 01 01 11 0e",
    "6": "06 08 10 1e 11 11 0e",
    "7": "1f 01 02 04 08 08 08",
    "8": "0e 11 11 0e 11 11 0e",
    "9": "0e 11 11 0f 01 02 0c",
    "A": "0e 11 11 1f 11 11 11",
    "B": "1e 11 11 1e 11 11 1e",
    "C": "0e 11 10 10 10 11 0e",
    "D": "1c 12 11 11 11 12 1c",
    "E": "1f 10 10 1e 10 10 1f",
    "F": "1f 10 10 1e 10 10 10",
    "G": "0e 11 10 17 11 11 0f",
    "H": "11 11 11 1f 11 11 11",
    "I": "0e 04 04 04 04 04 0e",
    "J": "07 02 02 02 02 12 0c",
    "K": "11 12 14 18 14 12 11",
    "L": "10 10 10 10 10 10 1f",
    "M": "11 1b 15 15 11 11 11",
    "N": "11 19 19 15 13 13 11",
    "O": "0e 11 11 11 11 11 0e",
    "P": "1e 11 11 1e 10 10 10",
    "Q": "0e 11 11 11 15 12 0d",
    "R": "1e 11 11 1e 14 12 11",
    "S": "0f 10 10 0e 01 01 1e",
    "T": "1f 04 04 04 04 04 04",
    "U": "11 11 11 11 11 11 0e",
    "V": "11 11 11 11 11 0a 04",
    "W": "11 11 11 15 15 1b 11",
    "X": "11 11 0a 04 0a 11 11",
    "Y": "11 11 0a 04 04 04 04",
    "Z": "1f 01 02 04 08 10 1f",
    ":": "00 0c 0c 00 0c 0c 00",
    ".": "00 00 00 00 00 0c 0c",
    ",": "00 00 00 00 0c 04 08",
    "-": "00 00 00 1f 00 00 00",
    "+": "00 04 04 1f 04 04 00",
    "/": "01 01 02 04 08 10 10",
    "(": "02 04 08 08 08 04 02",
    ")": "08 04 02 02 02 04 08",
    "!": "04 04 04 04 04 00 04",
    "?": "0e 11 01 02 04 00 04",
    "&": "08 14 14 08 15 12 0d",
    "'": "04 04 08 00 00 00 00",
    "#": "0a 0a 1f 0a 1f 0a 0a",
    "_": "00 00 00 00 00 00 1f",
}


def draw_text(text: str, scale: int) -> NDArray[np.bool_]:
    """The text as dots of ``scale`` x ``scale`` pixels, True where ink is; unknown letters become question marks."""
    columns = [_glyph(letter) for letter in text.upper()]
    dots = np.concatenate(columns, axis=1) if columns else np.zeros((GLYPH_HEIGHT, 0), dtype=np.bool_)
    return dots.repeat(scale, axis=0).repeat(scale, axis=1)


def _glyph(letter: str) -> NDArray[np.bool_]:
    rows = bytes.fromhex(_ROWS.get(letter, _ROWS["?"]))
    dots = np.zeros((GLYPH_HEIGHT, ADVANCE), dtype=np.bool_)
    for y, row in enumerate(rows):
        for x in range(GLYPH_WIDTH):
            dots[y, x] = bool(row >> (GLYPH_WIDTH - 1 - x) & 1)
    return dots
