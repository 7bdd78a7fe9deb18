"""Which H.264 encoder does the work: one of the machine's own, where a short real encode shows that it can, else x264.

All are asked for the same: no reordering, no lookahead, a closed group of pictures of a fixed length, one bitrate.
That an encoder is listed says little: many are there without the hardware. Each is therefore tried, but for those whose
device is not there: a busy machine takes a second for each trial.
"""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.ingest.encoder_trust import REST_S, TRUST
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.sources import Encoding
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment, Part
from gateway.media.samples import read_samples
from gateway.media.splitter import PartSplitter

logger = logging.getLogger(__name__)

Option = str | int | float
Options = dict[str, Option]

DEVICES = Path("/dev")
AUTO = "auto"
SOFTWARE = "software"
RENDER_NODE = "/dev/dri/renderD128"
RENDER_NODES = ("dri/renderD*",)

TRIAL_S = 10.0
TRIAL_SIZE = "640x360"
TRIAL_FRAMES = 12
TRIAL_GOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEncoder:
    """One of ffmpeg's encoders of H.264. ``filters`` stand behind those that scale; ``machine`` are global options.

    ``devices`` are patterns of files below /dev, one of which is there on Linux where it can work.
    """

    name: str
    options: Mapping[str, Option]
    pixels: str = "yuv420p"
    filters: str = ""
    machine: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


X264 = VideoEncoder(name="libx264", options={"tune": "zerolatency", "sc_threshold": 0})

HARDWARE = (
    VideoEncoder(
        name="h264_nvenc",
        options={
            "preset": "p4",
            "tune": "ull",
            "rc": "cbr",
            "zerolatency": 1,
            "delay": 0,
            "bf": 0,
            "no-scenecut": 1,
            "forced-idr": 1,
            "strict_gop": 1,
        },
        devices=("nvidia[0-9]*", "dxg"),
    ),
    VideoEncoder(
        name="h264_qsv",
        options={"preset": "veryfast", "async_depth": 1, "bf": 0, "look_ahead": 0, "forced_idr": 1, "idr_interval": 0},
        pixels="nv12",
        devices=RENDER_NODES,
    ),
    VideoEncoder(
        name="h264_vaapi",
        options={"rc_mode": "CBR", "async_depth": 1, "bf": 0, "idr_interval": 0},
        pixels="",
        filters="format=nv12,hwupload",
        machine=("-vaapi_device", RENDER_NODE),
        devices=RENDER_NODES,
    ),
    VideoEncoder(name="h264_videotoolbox", options={"realtime": 1, "allow_sw": 0, "bf": 0}, pixels="nv12"),
    VideoEncoder(
        name="h264_amf", options={"usage": "ultralowlatency", "rc": "cbr", "bf": 0}, pixels="nv12", devices=RENDER_NODES
    ),
    VideoEncoder(name="h264_v4l2m2m", options={"bf": 0, "num_capture_buffers": 16}, devices=("video[0-9]*",)),
)
"""In the order in which they are tried."""

NAMES = (AUTO, SOFTWARE, *(encoder.name for encoder in HARDWARE))
"""What a user may choose."""


def encoder_named(name: str) -> VideoEncoder:
    """x264 for what is no name of a hardware encoder."""
    return next((encoder for encoder in HARDWARE if encoder.name == name), X264)


def in_hardware(name: str) -> bool:
    """Whether that is the name of an encoder in hardware."""
    return encoder_named(name) is not X264


_told: dict[tuple[Ffmpeg, str], tuple[str, str]] = {}
"""What was said last of each wish: the encoder that was found, and the one in whose place x264 is."""


def find_encoder(ffmpeg: Ffmpeg, wish: str, stream: Numbering | None = None) -> str:
    """The name of the encoder to use for what the user wants, one of `NAMES`, in this stream; each is tried once for
    each ffmpeg, and again after it has failed on air.

    Runs programs: call it outside of an event loop.
    """
    if wish == SOFTWARE:
        return SOFTWARE
    found = SOFTWARE
    for encoder in HARDWARE if wish == AUTO else (encoder_named(wish),):
        if (wish != AUTO or _has_device(encoder)) and _may_be_used(ffmpeg, encoder, stream):
            found = encoder.name
            break
    failed = _resting(ffmpeg, wish, stream) if found == SOFTWARE else ""
    if _told.get((ffmpeg, wish)) != (found, failed):
        _told[ffmpeg, wish] = (found, failed)
        _tell(wish, found, failed)
    return found


def _resting(ffmpeg: Ffmpeg, wish: str, stream: Numbering | None) -> str:
    """The first encoder in hardware that would be meant, and is not used for a while; empty where there is none."""
    meant = HARDWARE if wish == AUTO else (encoder_named(wish),)
    return next((encoder.name for encoder in meant if TRUST.rests(ffmpeg, encoder.name, stream)), "")


def _tell(wish: str, found: str, failed: str) -> None:
    if found != SOFTWARE:
        logger.info("The picture is encoded by %s", found)
    elif failed:
        logger.warning(
            "%s has failed and is not used for %.0f minutes: the picture is encoded by libx264", failed, REST_S / 60
        )
    elif wish == AUTO:
        logger.info("No hardware encoder works here: the picture is encoded by libx264")
    else:
        logger.warning("%s does not work here: the picture is encoded by libx264", wish)


def _may_be_used(ffmpeg: Ffmpeg, encoder: VideoEncoder, stream: Numbering | None) -> bool:
    return TRUST.try_out(ffmpeg, encoder.name, lambda: _works(ffmpeg, encoder), stream)


def _has_device(encoder: VideoEncoder) -> bool:
    """Whether there may be such hardware; elsewhere than on Linux a trial alone tells."""
    if sys.platform != "linux":
        return True
    return any(next(DEVICES.glob(pattern), None) is not None for pattern in encoder.devices)


async def settle_encoder(ffmpeg: Ffmpeg, encoding: Encoding, stream: Numbering | None = None) -> Encoding:
    """The encoding with the encoder that does the work, and the one that rests, if x264 does it in its place.

    It is for one ffmpeg: for the next one it is found anew from what the user wants.
    """
    if encoding.encoder == SOFTWARE:
        return encoding
    found = await asyncio.to_thread(find_encoder, ffmpeg, encoding.encoder, stream)
    failed = _resting(ffmpeg, encoding.encoder, stream) if found == SOFTWARE else ""
    return replace(encoding, encoder=found, failed_encoder=failed)


def _works(ffmpeg: Ffmpeg, encoder: VideoEncoder) -> bool:
    """Whether it makes a film of the test picture whose key frames are where they have to be, and nothing reordered."""
    try:
        trial = subprocess.run(
            [*ffmpeg.guard, ffmpeg.path, *_trial(encoder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_S,
            check=True,
        )
        return list(_keys(trial.stdout)) == [number % TRIAL_GOP == 0 for number in range(TRIAL_FRAMES)]
    except (OSError, subprocess.SubprocessError, MediaError):
        return False


def _trial(encoder: VideoEncoder) -> Iterator[str]:
    yield from ("-hide_banner", "-loglevel", "error", *encoder.machine)
    yield from ("-f", "lavfi", "-i", f"testsrc2=s={TRIAL_SIZE}:r=25", "-frames:v", str(TRIAL_FRAMES))
    yield from ("-c:v", encoder.name, "-g", str(TRIAL_GOP), "-b:v", "1000000", "-maxrate:v", "1000000")
    for name, value in encoder.options.items():
        yield from (f"-{name}", str(value))
    if encoder.pixels:
        yield from ("-pix_fmt", encoder.pixels)
    if encoder.filters:
        yield from ("-vf", encoder.filters)
    yield from ("-f", "mp4", "-movflags", "cmaf+frag_keyframe+delay_moov", "pipe:1")


def _keys(film: bytes) -> Iterator[bool]:
    """Of each picture, whether it is a key frame. Raises MediaError for one that is shown at another time than coded,
    or is no H.264."""
    init: InitSegment | None = None
    offsets = set[int]()
    for event in PartSplitter().feed(film):
        if isinstance(event, InitSegment):
            init = event
        elif isinstance(event, Part) and init is not None:
            for sample in read_samples(event.data, init.lead):
                offsets.add(sample.offset)
                yield sample.key
    if init is None or not init.lead.codec.startswith("avc") or len(offsets) != 1:
        raise MediaError("An encoder that reorders pictures.")
