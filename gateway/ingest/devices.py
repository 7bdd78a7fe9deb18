"""Cameras, screens and microphones: how ffmpeg calls them on each system, and in which mode a camera is used.

Linux has Video4Linux, X11, ALSA and PulseAudio; macOS AVFoundation; Windows DirectShow and GDI.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.ingest.errors import InputUnreadable
from gateway.ingest.sources import CameraMode, CameraSource, ScreenSource

CAMERA_FPS = 30
CAMERA_WIDTH, CAMERA_HEIGHT = 1280, 720
"""Asked for; a camera gives what comes nearest."""
RAW_HEIGHT_MAX = 480
"""Above it, USB 2 carries few raw frames a second."""
SCREEN_FPS = 25
DEFAULT = "default"
SILENCE = "anullsrc=r=48000:cl=stereo"
QUEUE_PACKETS = 512
"""A device is read while the encoder is busy with the other one."""

_MODES = re.compile(r"(Raw|Compressed)\s*:\s*(\S+)\s*:.*?:((?:\s+\d+x\d+)+|\s+\{.*)$")
_SIZE = re.compile(r"(\d+)x(\d+)")
_STEPWISE = re.compile(r"\{(\d+)-(\d+),[^}]*\}x\{(\d+)-(\d+),[^}]*\}")
_DSHOW_CAMERA = re.compile(r'"([^"]+)" \((?:video|none)\)')

# Motion JPEG first: cameras' H.264 has few key frames.
_RANKS = ("mjpeg", "h264")


Option = tuple[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """ffmpeg's format, its name of the device, and the options that go before it."""

    format: str
    address: str
    options: tuple[Option, ...] = ()


def camera(source: CameraSource, platform: str) -> Device:
    """The picture of a camera that has been found. Raises InputUnreadable on a system that is not known."""
    size: tuple[Option, ...] = (("framerate", CAMERA_FPS),)
    if source.mode is not None:
        size = (("video_size", f"{source.mode.width}x{source.mode.height}"), *size)
    match platform:
        case "linux":
            chosen: tuple[Option, ...] = (("input_format", source.mode.format), *size) if source.mode else ()
            return Device(format="v4l2", address=source.device, options=chosen)
        case "darwin":
            return Device(format="avfoundation", address=f"{source.device or DEFAULT}:none", options=size)
        case "win32":
            return Device(format="dshow", address=f"video={source.device}", options=size)
    raise InputUnreadable(f"Cameras of {platform} are not known. Push from ffmpeg or OBS instead.")


def screen(source: ScreenSource, platform: str, environment: Mapping[str, str] = os.environ) -> Device:
    """The picture of a screen. Raises InputUnreadable where there is none that can be taken."""
    rate = ("framerate", SCREEN_FPS)
    match platform:
        case "linux":
            display = source.display or environment.get("DISPLAY", "")
            if not display:
                raise InputUnreadable(
                    "There is no X11 screen (DISPLAY is not set). Wayland's cannot be taken: push from OBS instead."
                )
            return Device(format="x11grab", address=display, options=(rate,))
        case "darwin":
            address = f"Capture screen {source.display or 0}:none"
            return Device(format="avfoundation", address=address, options=(rate, ("capture_cursor", 1)))
        case "win32":
            return Device(format="gdigrab", address="desktop", options=(rate,))
    raise InputUnreadable(f"Screens of {platform} are not known. Push from ffmpeg or OBS instead.")


def microphone(name: str, platform: str, environment: Mapping[str, str] = os.environ) -> Device:
    """A microphone by its name, or `DEFAULT`; silence for "". Raises InputUnreadable on a system that is not known.

    On Linux ``alsa:`` or ``pulse:`` before the name says whose it is.
    """
    if not name:
        return Device(format="lavfi", address=SILENCE)
    match platform:
        case "linux":
            system, colon, inner = name.partition(":")
            if colon and system in ("alsa", "pulse"):
                return Device(format=system, address=inner or DEFAULT)
            return Device(format="pulse" if _has_pulse(environment) else "alsa", address=name)
        case "darwin":
            return Device(format="avfoundation", address=f"none:{name}")
        case "win32":
            return Device(format="dshow", address=f"audio={name}")
    raise InputUnreadable(f"Microphones of {platform} are not known. Push from ffmpeg or OBS instead.")


def listing(source: CameraSource, platform: str, device: str) -> list[str] | None:
    """What to call ffmpeg with, to be told of a camera's modes, or of the cameras; None where there is no need."""
    if platform == "linux":
        return ["-f", "v4l2", "-list_formats", "all", "-i", device]
    if platform == "win32" and not source.device:
        return ["-f", "dshow", "-list_devices", "true", "-i", "dummy"]
    return None


def video4linux_devices(folder: Path = Path("/dev")) -> list[str]:
    """All, in the order of their numbers; most cameras have several, of which one gives a picture."""
    found = [path for path in folder.glob("video*") if path.name.removeprefix("video").isdecimal()]
    return [str(path) for path in sorted(found, key=lambda path: int(path.name.removeprefix("video")))]


def read_modes(lines: Iterable[str]) -> list[CameraMode]:
    """The modes that ``-list_formats all`` tells of."""
    modes = []
    for line in lines:
        if match := _MODES.search(line):
            sizes = [(int(width), int(height)) for width, height in _SIZE.findall(match[3])] or _nearest(match[3])
            raw = match[1] == "Raw"
            modes += [CameraMode(format=match[2], width=width, height=height, raw=raw) for width, height in sizes]
    return modes


def best_mode(modes: Sequence[CameraMode]) -> CameraMode | None:
    """The mode to use a camera in: the largest up to 1280x720, raw ones only where they are small or there is no other.

    None when there is none.
    """
    compressed = [mode for mode in modes if mode.format in _RANKS]
    fitting = [mode for mode in compressed if _fits(mode)] or [
        mode for mode in modes if mode.raw and _fits(mode) and mode.height <= RAW_HEIGHT_MAX
    ]
    if fitting:
        return max(fitting, key=lambda mode: (mode.width * mode.height, -_rank(mode)))
    return min(modes, key=lambda mode: (mode.width * mode.height, _rank(mode)), default=None)


def read_cameras(lines: Iterable[str]) -> list[str]:
    """The cameras that DirectShow tells of, by name; ffmpeg 5.1 and newer say what each is."""
    return [match[1] for line in lines if (match := _DSHOW_CAMERA.search(line))]


def _fits(mode: CameraMode) -> bool:
    return mode.width <= CAMERA_WIDTH and mode.height <= CAMERA_HEIGHT


def _rank(mode: CameraMode) -> int:
    return _RANKS.index(mode.format) if mode.format in _RANKS else len(_RANKS)


def _nearest(text: str) -> list[tuple[int, int]]:
    """The size to use, where a camera takes any within bounds."""
    if not (match := _STEPWISE.search(text)):
        return []
    width_min, width_max, height_min, height_max = map(int, match.groups())
    return [(min(max(CAMERA_WIDTH, width_min), width_max), min(max(CAMERA_HEIGHT, height_min), height_max))]


def _has_pulse(environment: Mapping[str, str]) -> bool:
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    return bool(environment.get("PULSE_SERVER")) or bool(runtime and Path(runtime, "pulse/native").exists())
