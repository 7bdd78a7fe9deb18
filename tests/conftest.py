"""What all tests share: programs that they need, the property tests' profiles, and a guard against left processes."""

import ctypes
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FAREWELL_S = 5.0
PR_SET_CHILD_SUBREAPER = 36


def _missing(what: str) -> None:
    if os.environ.get("SEEDCAST_NO_SKIP") == "1":
        pytest.fail(f"{what}, and nothing may be skipped here", pytrace=False)
    pytest.skip(what)


def need_chromium() -> str:
    """The path of a Chromium to drive; skips the test, or fails it where nothing may be skipped."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        _missing("no Chromium: apt install chromium")
    assert found is not None
    return found


def need_ffmpeg() -> str:
    """The path of an ffmpeg: the system's, else the one that comes with the Python package."""
    return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()


def need_ffprobe() -> str:
    """The path of ffprobe, which only the system has; skips or fails like `need_chromium`."""
    return need_program("ffprobe", "ffmpeg")


def need_program(name: str, package: str = "") -> str:
    """The path of a program that only the system has; skips or fails like `need_chromium`."""
    found = shutil.which(name)
    if found is None:
        _missing(f"no {name}: apt install {package or name}")
    assert found is not None
    return found


def need_xvfb() -> str:
    """The path of Xvfb, an X11 server without a screen; skips or fails like `need_chromium`."""
    found = shutil.which("Xvfb")
    if found is None:
        _missing("no Xvfb: apt install xvfb")
    assert found is not None
    return found


@pytest.fixture
def chromium() -> str:
    return need_chromium()


@pytest.fixture
def ffmpeg() -> str:
    return need_ffmpeg()


@pytest.fixture
def ffprobe() -> str:
    return need_ffprobe()


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Fails the session when a process that a test started, or a child of one, still runs at the end."""
    if not sys.platform.startswith("linux"):
        yield
        return
    # Orphans of a killed process come to us instead of to init, and so cannot hide.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _children()
    yield
    deadline = time.monotonic() + FAREWELL_S
    while (left := _children() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"processes left by the tests: {sorted(left)}"


def _children() -> set[str]:
    """Each running child of this process as "pid command line"; the dead that wait to be reaped do not count."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        # Python's own tracker of shared memory lives as long as the interpreter.
        if parent == str(os.getpid()) and state != "Z" and "multiprocessing.resource_tracker" not in command:
            found.add(f"{stat.parent.name} {command}")
    return found
