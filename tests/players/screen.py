"""A virtual screen for players with windows, and a look at what they show there.

Xvfb keeps its picture in a file when told to: one read of the topmost rows tells the clock in the picture, without a
program in between that would take time of its own.
"""

import os
import select
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from gateway.ingest.clock_code import BAND_HEIGHT, LAYOUT_HEIGHT, LAYOUT_WIDTH, read_clock
from tests.conftest import need_ffmpeg

START_WITHIN_S = 10.0
HEADER = struct.Struct(">25I")
"""The file is an X window dump (XWDFile.h): 25 numbers, the screen's name, the colour map, then the pixels."""
COLOUR_SIZE = 12
GREEN = 1
"""Pixels are B, G, R, unused; a grey picture is the same in each."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A virtual screen of 640 x 360, which a player's window fills whole."""

    display: str
    pixels: NDArray[np.uint8]
    """Height x width x 4, as it is at this moment."""

    def clock_s(self) -> float | None:
        """The capture time of what is shown, in Unix seconds; None when no clock can be read."""
        luma = np.zeros((LAYOUT_HEIGHT, LAYOUT_WIDTH), dtype=np.uint8)
        luma[:BAND_HEIGHT] = self.pixels[:BAND_HEIGHT, :, GREEN]
        unix_ms = read_clock(luma)
        return None if unix_ms is None else unix_ms / 1000

    def save(self, path: Path) -> None:
        """What is shown now, as PNG."""
        size = f"{LAYOUT_WIDTH}x{LAYOUT_HEIGHT}"
        source = ["-f", "rawvideo", "-pix_fmt", "bgr0", "-s", size, "-i", "-"]
        command = [need_ffmpeg(), "-y", "-v", "error", *source, "-frames:v", "1", str(path)]
        subprocess.run(command, input=self.pixels.tobytes(), check=True)


@contextmanager
def open_screen() -> Iterator[Screen | None]:
    """A screen of its own, black; None without Xvfb."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        reader, writer = os.pipe()
        size = f"{LAYOUT_WIDTH}x{LAYOUT_HEIGHT}x24"
        command = [xvfb, "-displayfd", str(writer), "-screen", "0", size, "-fbdir", folder, "-nolisten", "tcp", "-ac"]
        server = subprocess.Popen([*command, "-nocursor"], pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        try:
            yield Screen(f":{_read_number(reader)}", _map_pixels(Path(folder) / "Xvfb_screen0"))
        finally:
            os.close(reader)
            server.terminate()
            server.wait()


def _read_number(reader: int) -> str:
    """The display's number, which the server tells once it is ready."""
    text = b""
    end_s = time.monotonic() + START_WITHIN_S
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([reader], [], [], max(end_s - time.monotonic(), 0))
        read = os.read(reader, 16) if ready else b""
        if not read:
            raise RuntimeError("Xvfb does not start")
        text += read
    return text.decode().strip()


def _map_pixels(path: Path) -> NDArray[np.uint8]:
    numbers = HEADER.unpack(path.open("rb").read(HEADER.size))
    header_size, width, height, line_size, colours = numbers[0], numbers[4], numbers[5], numbers[12], numbers[19]
    assert (width, height) == (LAYOUT_WIDTH, LAYOUT_HEIGHT)
    assert line_size == 4 * width
    offset = header_size + colours * COLOUR_SIZE
    return np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=(height, width, 4))
