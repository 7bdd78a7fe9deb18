"""Small films made with the real ffmpeg, and a guard: no test leaves an ffmpeg behind."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ingest.ffmpeg import Ffmpeg, find_ffmpeg
from tests.conftest import need_xvfb

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:sample_rate=48000")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25")


def running_ffmpegs() -> set[int]:
    """Children of this process that are an ffmpeg and still run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = rest.split()[:2]
        if parent == str(os.getpid()) and state != "Z" and name.startswith("ffmpeg"):
            found.add(int(stat.parent.name))
    return found


@pytest.fixture(autouse=True)
def no_ffmpeg_is_left() -> Iterator[None]:
    yield
    if sys.platform == "linux":
        assert running_ffmpegs() == set()


@pytest.fixture(scope="session")
def tool() -> Ffmpeg:
    return find_ffmpeg()


@pytest.fixture(scope="session", params=["system", "bundled"])
def each_tool(request: pytest.FixtureRequest) -> Ffmpeg:
    """Once the ffmpeg that would be used, once the one of the Python package."""
    return find_ffmpeg(search_path=None if request.param == "system" else os.devnull)


@pytest.fixture(scope="session")
def films(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """film.mp4 and film.ts: three seconds of H.264 and AAC; silent.mp4, sound.m4a, sound.ts, and film.mpeg2.ts.

    silent.ts without sound, slow.ts of one frame a second, sparse.ts with one key frame.

    film.flv and film.cmaf.mp4: the same film in the containers of RTMP and of CMAF.
    languages.mp4 and languages.ts: the same with a second sound, in AC-3, and both named.
    """
    folder = tmp_path_factory.mktemp("films")

    def make(name: str, *arguments: str) -> None:
        subprocess.run(
            [tool.path, "-v", "error", "-nostdin", *arguments, "-t", "3", "-flags", "+bitexact", str(folder / name)],
            check=True,
        )

    make("film.mp4", *PICTURE, *SOUND, *H264, "-c:a", "aac", "-b:a", "128k")
    make("film.ts", "-i", str(folder / "film.mp4"), "-c", "copy")
    make("film.flv", "-i", str(folder / "film.mp4"), "-c", "copy")
    cmaf = "+cmaf+frag_every_frame+empty_moov+default_base_moof+separate_moof"
    make("film.cmaf.mp4", "-i", str(folder / "film.mp4"), "-c", "copy", "-movflags", cmaf)
    both = ("-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:a:0", "aac", "-c:a:1", "ac3")
    named = ("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng")
    make("languages.mp4", *PICTURE, *SOUND, *H264, *both, *named)
    make("languages.ts", "-i", str(folder / "languages.mp4"), "-map", "0", "-c", "copy")
    make("silent.mp4", *PICTURE, *H264)
    make("silent.ts", "-i", str(folder / "silent.mp4"), "-c", "copy")
    make("slow.ts", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=1", *H264[:-4], "-g", "1")
    make("sound.m4a", *SOUND, "-c:a", "aac")
    make("sound.ts", *SOUND, "-c:a", "aac")
    make("film.mpeg2.ts", *PICTURE, *SOUND, "-c:v", "mpeg2video", "-b:v", "1M", "-c:a", "mp2")
    make("sparse.mp4", *PICTURE, "-c:v", "libx264", "-preset", "ultrafast", "-g", "250")
    make("sparse.ts", "-i", str(folder / "sparse.mp4"), "-c", "copy")
    return folder


@pytest.fixture
def graphics_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has one, by the files of its devices."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    monkeypatch.setattr("gateway.ingest.encoders.DEVICES", tmp_path / "dev")


@pytest.fixture
def x_display() -> Iterator[str]:
    """The name of an X11 display of 320x240 pixels, all white."""
    reader, writer = os.pipe()
    command = [need_xvfb(), "-displayfd", str(writer), "-screen", "0", "320x240x24", "-wr", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as numbers:
            yield f":{numbers.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def wait_for_end_of(pid: int, *, within_s: float) -> bool:
    """Whether a process that is no child of ours ends in time."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
