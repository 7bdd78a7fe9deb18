"""Players with windows: ffplay, mpv, VLC, GStreamer, and streamlink in front of mpv; each in a virtual screen.

Sound is decoded and played into nothing, at its own pace: a player's clock usually is that of its sound.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from platformdirs import user_cache_path

from tests.players.play import FIRST_FRAME_WITHIN_S, Outcome, Play, Venue
from tests.players.screen import Screen
from tests.players.sightings import LOOK_EVERY_S, Sighting, take_figures

FAREWELL_S = 5.0
VERSION_WITHIN_S = 120
GST_REGISTRY = user_cache_path("seedcast-players", ensure_exists=True) / "gstreamer-registry"
"""GStreamer looks through all of its plugins when it is started for the first time: once is enough."""
NOBODY = "nobody"
"""VLC refuses to run as root."""

Command = Callable[[str, str, list[str]], list[str]]
"""Program, URL and further words -> the whole command line."""


def ffplay_command(program: str, url: str, words: list[str]) -> list[str]:
    window = ["-left", "0", "-top", "0", "-x", "640", "-y", "360", "-noborder"]
    return [program, "-hide_banner", "-nostats", "-loglevel", "error", *window, *words, url]


def mpv_command(program: str, url: str, words: list[str]) -> list[str]:
    screen = ["--vo=x11", "--ao=null", "--fullscreen", "--no-osc", "--osd-level=0", "--hwdec=no"]
    quiet = ["--no-config", "--ytdl=no", "--no-input-terminal", "--msg-level=all=error"]
    return [program, *quiet, *screen, *words, url]


def vlc_command(program: str, url: str, words: list[str]) -> list[str]:
    screen = ["--vout", "xcb_x11", "--aout", "adummy", "--fullscreen", "--no-video-title-show", "--avcodec-hw", "none"]
    quiet = ["-I", "dummy", "--no-dbus", "--no-lua", "--verbose", "0"]
    return [program, *quiet, *screen, *words, url]


def gstreamer_command(program: str, url: str, words: list[str]) -> list[str]:
    screen = [
        "--no-interactive",
        "--quiet",
        "--use-playbin3",
        "--videosink=ximagesink",
        "--audiosink=fakesink sync=true",
    ]
    return [program, *screen, *words, url]


def streamlink_command(program: str, url: str, words: list[str]) -> list[str]:
    """Streamlink fetches, mpv shows: the words before ``--`` are for the one, those behind it for the other."""
    cut = words.index("--") if "--" in words else len(words)
    mpv = shutil.which("mpv") or "mpv"
    player = ["--player", mpv, "--player-args", " ".join(mpv_command("", "", words[cut + 1 :])[1:-1])]
    return [program, "--no-config", "--loglevel", "error", *player, *words[:cut], f"hls://{url}", "best"]


PROGRAMS: dict[str, tuple[str, Command]] = {
    "ffplay": ("ffplay", ffplay_command),
    "mpv": ("mpv", mpv_command),
    "VLC": ("vlc", vlc_command),
    "GStreamer": ("gst-play-1.0", gstreamer_command),
    "streamlink": ("streamlink", streamlink_command),
}


def find_program(player: str) -> str | None:
    """The player's program: of this Python's environment, else of the system."""
    name = PROGRAMS[player][0]
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


@cache
def program_version(program: str) -> str:
    """The number in what the program says of its version."""
    option = "-version" if program.endswith("ffplay") else "--version"
    with TemporaryDirectory() as home, _started([program, option], home, output=subprocess.PIPE) as process:
        text = process.communicate(timeout=VERSION_WITHIN_S)[0].decode(errors="replace")
    found = re.search(r"(?:version |streamlink |mpv )(\d+(?:\.\d+)+)", text)
    return found[1] if found else "?"


def play_in_window(screen: Screen, play: Play, venue: Venue) -> Outcome:
    """Start the player, play for the venue's time from the first frame on, take a picture of its window."""
    program = find_program(play.player)
    if program is None:
        return Outcome(missing=f"{PROGRAMS[play.player][0]} is not installed")
    version = program_version(program)
    _, command = PROGRAMS[play.player]
    line = command(program, venue.url(play), play.options.split())
    with TemporaryDirectory() as home:
        complaints = Path(home) / "complaints"
        with complaints.open("wb") as output:
            began_s = time.time()
            with _started(line, home, output=output, display=screen.display) as process:
                sightings = _watch(screen, process, began_s, venue.seconds)
                screen.save(venue.picture(play))
        errors = _errors(complaints.read_text(errors="replace"))
    return Outcome(version=version, figures=take_figures(sightings, began_s), errors=errors)


def _watch(screen: Screen, process: "subprocess.Popen[bytes]", began_s: float, seconds: float) -> list[Sighting]:
    """Look at the screen until the player has played for its time, has ended, or has shown nothing for too long."""
    sightings: list[Sighting] = []
    end_s = began_s + FIRST_FRAME_WITHIN_S
    shown = False
    while (now_s := time.time()) < end_s and process.poll() is None:
        sightings.append(Sighting(now_s, screen.clock_s()))
        if not shown and sightings[-1].clock_s is not None:
            shown, end_s = True, now_s + seconds
        time.sleep(max(now_s + LOOK_EVERY_S - time.time(), 0))
    return sightings


NOISE = re.compile(
    r"^$|VLC media player|dummy interface|packetizer: AAC|XDG_RUNTIME_DIR|D-?Bus|pulse|ALSA|Interrupted!", re.IGNORECASE
)
"""What programs say about a machine without sound card and desktop is not about the stream."""


def _errors(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in re.split(r"[\r\n]+", text))
    return tuple(line for line in lines if not NOISE.search(line))


@contextmanager
def _started(
    line: Sequence[str], home: str, *, output: object, display: str = ""
) -> "Iterator[subprocess.Popen[bytes]]":
    """A process in a group of its own, gone with the whole group at the end."""
    environment = os.environ | {"DISPLAY": display, "HOME": home, "SDL_AUDIODRIVER": "dummy", "NO_AT_BRIDGE": "1"}
    environment |= {"SDL_RENDER_DRIVER": "software", "LC_ALL": "C.UTF-8", "GST_REGISTRY": str(GST_REGISTRY)}
    user = NOBODY if os.geteuid() == 0 and Path(line[0]).name == "vlc" else None
    if user:
        shutil.chown(home, user)
    process = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=output,  # type: ignore[call-overload]
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
        user=user,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(FAREWELL_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
