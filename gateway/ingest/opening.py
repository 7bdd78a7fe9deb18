"""How ffmpeg opens an input: its address, and the options that go before it, by the kind of input.

Each kind of address may use the protocols that it needs and no others, whatever a playlist or a redirection names: a
list on a server cannot name a file of this machine.
"""

import sys
from collections.abc import Sequence
from typing import Protocol

import ffmpeg

from gateway.ingest import devices
from gateway.ingest.devices import Device
from gateway.ingest.encoders import Options
from gateway.ingest.probe import InputInfo
from gateway.ingest.sources import (
    CameraSource,
    DeviceSource,
    FileSource,
    ScreenSource,
    SdpSource,
    Source,
    UrlSource,
)

NETWORK_TIMEOUT_US = 10_000_000
SEGMENTED = ("hls", "dash")
"""What comes in segments comes in bursts: it is read at its own speed, live or not."""
HLS_START = -3
"""Where a live playlist begins to be read, in segments from its end (RFC 8216 section 6.3.3)."""

HTTP_PROTOCOLS = "http,https,httpproxy,tls,tcp,crypto,data"
PROTOCOLS = {
    "http": HTTP_PROTOCOLS,
    "https": HTTP_PROTOCOLS,
    "rtsp": "rtsp,rtp,tcp,udp,srtp",
    "rtsps": "rtsps,rtsp,rtp,tcp,tls,udp,srtp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
    "srt": "srt",
    "udp": "udp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
    "sdp": "file,rtp,udp,srtp",
}
"""What ffmpeg may use, by the URL's scheme; ``sdp`` is a session description in a file."""


class Pad(Protocol):
    """A stream of ffmpeg-python's graph; it has no types of its own."""

    def __getitem__(self, selector: str) -> "Pad": ...


class PictureAndSound:
    """Two inputs that are one source: a camera or a screen, and a microphone."""

    def __init__(self, picture: Pad, sound: Pad) -> None:
        self._picture = picture
        self._sound = sound

    def __getitem__(self, selector: str) -> Pad:
        return self._sound[selector] if selector.startswith("a:") else self._picture[selector]


def probe_arguments(source: Source, platform: str = sys.platform) -> list[str]:
    """The part of ``ffmpeg -i`` that opens this input; of a device, its picture."""
    path, options = _locate(source, platform)
    return [*_flags(options), "-i", path]


def open_input(source: Source, info: InputInfo, platform: str = sys.platform) -> Pad:
    """The same for ffmpeg's graph, once it has been probed: at the speed at which it is to be read."""
    path, options = _locate(source, platform)
    # What has an end is not live: it is read at its own speed.
    if info.duration_s is not None or isinstance(source, FileSource) or info.format in SEGMENTED:
        options["re"] = ""
    elif isinstance(source, UrlSource):
        options["fpsprobesize"] = 0  # the rate is known, and need not be waited for again
    if info.format == "hls" and info.duration_s is None:
        options["live_start_index"] = HLS_START
    if isinstance(source, FileSource) and source.loop:
        options["stream_loop"] = -1
    opened = _input(path, options)
    if isinstance(source, DeviceSource):
        sound = devices.microphone(source.microphone, platform)
        return PictureAndSound(opened, _input(sound.address, _options(sound)))
    return opened


def _input(path: str, options: Options) -> Pad:
    opened: Pad = ffmpeg.input(path, **{name: None if value == "" else value for name, value in options.items()})
    return opened


def _flags(options: Options) -> Sequence[str]:
    return [word for name, value in options.items() for word in (f"-{name}", str(value))]


def _locate(source: Source, platform: str) -> tuple[str, Options]:
    """The input's address, and the options that open it."""
    match source:
        case FileSource(path=path, begin_s=begin_s):
            return f"file:{path}", {"ss": begin_s} if begin_s else {}
        case CameraSource():
            found = devices.camera(source, platform)
            return found.address, _options(found) | {"probesize": 32, "analyzeduration": 0}
        case ScreenSource():
            found = devices.screen(source, platform)
            return found.address, _options(found)
        case SdpSource(path=path):
            return f"file:{path}", {"protocol_whitelist": PROTOCOLS["sdp"]}
        case UrlSource(url=url):
            known: Options = {"protocol_whitelist": PROTOCOLS[source.scheme]}
            return url, known | {"analyzeduration": round(source.analyze_s * 1e6)} | _patience(source.scheme)
    raise ValueError("the test picture, the slate and lists are not opened by an address")


def _patience(scheme: str) -> Options:
    """How long a server may be silent."""
    match scheme:
        case "rtsp" | "rtsps":
            return {"rtsp_transport": "tcp", "timeout": NETWORK_TIMEOUT_US}
        case "http" | "https" | "rtmp" | "rtmps" | "tcp":
            return {"rw_timeout": NETWORK_TIMEOUT_US}
    return {}


def _options(device: Device) -> Options:
    queue: Options = {"thread_queue_size": devices.QUEUE_PACKETS}
    return {"f": device.format} | queue | dict(device.options)
