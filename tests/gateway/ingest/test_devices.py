"""Cameras, screens and microphones: ffmpeg's names of them on each system, and the mode that a camera is used in."""

from pathlib import Path

import pytest

from gateway.ingest.devices import (
    best_mode,
    camera,
    listing,
    microphone,
    read_cameras,
    read_modes,
    screen,
    video4linux_devices,
)
from gateway.ingest.errors import InputUnreadable
from gateway.ingest.sources import CameraMode, CameraSource, ScreenSource

WEBCAM = """\
[video4linux2,v4l2 @ 0x5581] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 320x240 1280x720
[video4linux2,v4l2 @ 0x5581] Compressed:       mjpeg :          Motion-JPEG : 640x480 1280x720 1920x1080
[video4linux2,v4l2 @ 0x5581] Compressed:        h264 :                H.264 : 640x480 1280x720 1920x1080
/dev/video0: Immediate exit requested
"""
RAW_ONLY = "[v4l2 @ 0x1] Raw       :     yuyv422 :           YUYV 4:2:2 : 160x120 640x480 1280x720 1920x1080\n"
STEPWISE = "[v4l2 @ 0x1] Raw       :     yuv420p :     Planar YUV 4:2:0 : {32-2592, 2}x{32-1944, 2}\n"
LARGE = "[v4l2 @ 0x1] Compressed:       mjpeg :          Motion-JPEG : 1920x1080 3840x2160\n"
DSHOW = """\
[dshow @ 000001] "Integrated Camera" (video)
[dshow @ 000001]   Alternative name "@device_pnp_1"
[dshow @ 000001] "OBS Virtual Camera" (none)
[dshow @ 000001] "Microphone Array (Realtek)" (audio)
"""


@pytest.mark.parametrize(
    ("lines", "format_", "width", "height"),
    [
        (WEBCAM, "mjpeg", 1280, 720),
        (WEBCAM.replace("mjpeg : ", "vp8 : "), "h264", 1280, 720),
        (RAW_ONLY, "yuyv422", 640, 480),
        (STEPWISE, "yuv420p", 1280, 720),
        (LARGE, "mjpeg", 1920, 1080),
    ],
)
def test_the_mode_of_a_camera(lines: str, format_: str, width: int, height: int) -> None:
    mode = best_mode(read_modes(lines.splitlines()))
    assert mode is not None
    assert (mode.format, mode.width, mode.height) == (format_, width, height)


def test_a_device_without_modes_is_no_camera() -> None:
    assert best_mode(read_modes(["/dev/video1: Inappropriate ioctl for device"])) is None


def test_a_camera_on_each_system() -> None:
    mode = CameraMode(format="mjpeg", width=1280, height=720, raw=False)
    linux = camera(CameraSource(device="/dev/video0", mode=mode), "linux")
    assert (linux.format, linux.address) == ("v4l2", "/dev/video0")
    assert dict(linux.options) == {"input_format": "mjpeg", "video_size": "1280x720", "framerate": 30}
    assert camera(CameraSource(device="/dev/video0"), "linux").options == ()
    mac = camera(CameraSource(), "darwin")
    assert (mac.format, mac.address) == ("avfoundation", "default:none")
    windows = camera(CameraSource(device="Integrated Camera"), "win32")
    assert (windows.format, windows.address) == ("dshow", "video=Integrated Camera")
    with pytest.raises(InputUnreadable, match="not known"):
        camera(CameraSource(), "plan9")


def test_a_screen_on_each_system() -> None:
    linux = screen(ScreenSource(), "linux", {"DISPLAY": ":3"})
    assert (linux.format, linux.address, dict(linux.options)) == ("x11grab", ":3", {"framerate": 25})
    assert screen(ScreenSource(display=":7"), "linux", {"DISPLAY": ":3"}).address == ":7"
    assert screen(ScreenSource(), "darwin", {}).address == "Capture screen 0:none"
    assert (screen(ScreenSource(), "win32", {}).format, screen(ScreenSource(), "win32", {}).address) == (
        "gdigrab",
        "desktop",
    )
    with pytest.raises(InputUnreadable, match="not known"):
        screen(ScreenSource(), "plan9", {})


def test_without_x11_there_is_no_screen_to_take() -> None:
    with pytest.raises(InputUnreadable, match="DISPLAY is not set"):
        screen(ScreenSource(), "linux", {"WAYLAND_DISPLAY": "wayland-0"})


@pytest.mark.parametrize(
    ("name", "platform", "environment", "format_", "address"),
    [
        ("", "linux", {}, "lavfi", "anullsrc=r=48000:cl=stereo"),
        ("default", "linux", {}, "alsa", "default"),
        ("default", "linux", {"PULSE_SERVER": "unix:/x"}, "pulse", "default"),
        ("alsa:hw:1", "linux", {"PULSE_SERVER": "unix:/x"}, "alsa", "hw:1"),
        ("pulse:", "linux", {}, "pulse", "default"),
        ("default", "darwin", {}, "avfoundation", "none:default"),
        ("Microphone", "win32", {}, "dshow", "audio=Microphone"),
    ],
)
def test_a_microphone_on_each_system(
    name: str, platform: str, environment: dict[str, str], format_: str, address: str
) -> None:
    found = microphone(name, platform, environment)
    assert (found.format, found.address) == (format_, address)


def test_a_running_pulse_server_is_found_by_its_socket(tmp_path: Path) -> None:
    (tmp_path / "pulse").mkdir()
    (tmp_path / "pulse/native").touch()
    assert microphone("default", "linux", {"XDG_RUNTIME_DIR": str(tmp_path)}).format == "pulse"


def test_who_is_asked_for_cameras() -> None:
    assert listing(CameraSource(), "linux", "/dev/video4") == [
        "-f",
        "v4l2",
        "-list_formats",
        "all",
        "-i",
        "/dev/video4",
    ]
    assert listing(CameraSource(), "win32", "") == ["-f", "dshow", "-list_devices", "true", "-i", "dummy"]
    assert listing(CameraSource(device="Mine"), "win32", "") is None
    assert listing(CameraSource(), "darwin", "") is None
    assert read_cameras(DSHOW.splitlines()) == ["Integrated Camera", "OBS Virtual Camera"]


def test_cameras_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("video10", "video2", "videodev"):
        (tmp_path / name).touch()
    assert video4linux_devices(tmp_path) == [str(tmp_path / "video2"), str(tmp_path / "video10")]
