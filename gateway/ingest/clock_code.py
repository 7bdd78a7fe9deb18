"""A clock that machines read from the picture: unix milliseconds as one row of black and white cells.

Everything is measured in layout units: the frame, whatever its size and aspect, is 640 units wide and 360 high, so
that a scaled picture reads the same. A frame of 640x360 has one pixel a unit.

* The band: y from 0 to 28 over the whole width is black.
* Cell i, for i in 0 .. 51, counted from the left: x from 8 + 12 i to 20 + 12 i, y from 6 to 22. White (luma 235) is a
  1, black (luma 16) is a 0. A reader takes the mean luma of the middle of the cell, x + 3 .. x + 9 and y 10 .. 18,
  and calls it 1 when it is above 128.
* Cells 0 .. 43: the time in milliseconds since 1970 as 44 bits, most significant bit first (enough until 2527).
* Cells 44 .. 51: a CRC-8, most significant bit first: polynomial 0x07, initial value 0xFF, no reflection, no final
  XOR, over the time as six bytes, big-endian. An all-black and an all-white row both fail it.

The cells are as wide as x264 needs to keep them apart at low bitrates, even when the picture is shown at half size.
"""

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]

LAYOUT_WIDTH = 640
LAYOUT_HEIGHT = 360
BAND_HEIGHT = 28
CELL_LEFT = 8
CELL_WIDTH = 12
CELL_TOP = 6
CELL_BOTTOM = 22
TIME_BITS = 44
CHECK_BITS = 8
CELLS = TIME_BITS + CHECK_BITS

BLACK = 16
WHITE = 235
THRESHOLD = 128


def draw_clock(luma: Luma, unix_ms: int) -> None:
    """Draw the cells of ``unix_ms`` into ``luma`` (height x width); the black band must be there already."""
    height, width = luma.shape
    edges = (np.arange(CELLS + 1) * CELL_WIDTH + CELL_LEFT) * width // LAYOUT_WIDTH
    levels = np.where(_bits(unix_ms), WHITE, BLACK).astype(np.uint8)
    top, bottom = _scale(CELL_TOP, height), _scale(CELL_BOTTOM, height)
    luma[top:bottom, edges[0] : edges[-1]] = np.repeat(levels, np.diff(edges))


def read_clock(luma: Luma) -> int | None:
    """The unix milliseconds in a picture's luma (height x width), or None when no valid code is there."""
    height, width = luma.shape
    if width < CELLS * 2 or height < LAYOUT_HEIGHT // 4:
        return None
    rows = luma[_scale(CELL_TOP + 4, height) : _scale(CELL_BOTTOM - 4, height)]
    value = 0
    for cell in range(CELLS):
        left = CELL_LEFT + cell * CELL_WIDTH
        start, end = (left + 3) * width // LAYOUT_WIDTH, (left + 9) * width // LAYOUT_WIDTH
        bit = float(rows[:, start : max(end, start + 1)].mean()) > THRESHOLD
        value = value << 1 | bit
    unix_ms, check = value >> CHECK_BITS, value & 0xFF
    return unix_ms if check == checksum(unix_ms) else None


def checksum(unix_ms: int) -> int:
    """CRC-8 of the time as six big-endian bytes."""
    crc = 0xFF
    for byte in unix_ms.to_bytes(6, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def _bits(unix_ms: int) -> NDArray[np.bool_]:
    word = (unix_ms % (1 << TIME_BITS)) << CHECK_BITS | checksum(unix_ms % (1 << TIME_BITS))
    return np.array([word >> shift & 1 for shift in range(CELLS - 1, -1, -1)], dtype=np.bool_)


def _scale(units: int, height: int) -> int:
    return units * height // LAYOUT_HEIGHT
