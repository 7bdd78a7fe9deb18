"""How one input or push goes: what its ffmpeg tells and what is measured of its parts, and what to do about it."""

from dataclasses import dataclass
from typing import Protocol

from gateway.ingest.complaints import plain_complaint
from gateway.ingest.encoder_trust import REST_S
from gateway.ingest.progress import Progress
from gateway.media.parts import InitSegment

SPEED_MIN = 0.97
"""A live input or encoder that is slower falls behind more with every minute."""
LATE_FRAMES_SHARE = 0.02


class Worker(Protocol):
    """What works at it: a running ffmpeg."""

    @property
    def progress(self) -> Progress | None: ...
    @property
    def stderr(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Of the newest epoch. Codecs as in RFC 6381, several with spaces between; sizes in pixels, of the highest rung.

    ``gop_s`` is the distance of the last two key frames, ``gop_s_max`` the longest so far; 0 while unknown. ``speed``
    is media time per time. ``coding`` is what codes the picture: an encoder's name, ``copy`` as it came, ``none`` for
    sound alone. ``encoder_delay_s`` is from the encoder's own clock to us, where the encoder tells it.
    ``complaint`` is what ffmpeg said last, ``warnings`` what whoever sends should change.
    """

    video_codec: str = ""
    audio_codec: str = ""
    width: int = 0
    height: int = 0
    coding: str = ""
    copied: bool = False
    fps: float = 0.0
    gop_s: float = 0.0
    gop_s_max: float = 0.0
    frames_dropped: int = 0
    frames_duplicated: int = 0
    speed: float | None = None
    encoder_delay_s: float | None = None
    complaint: str = ""
    warnings: tuple[str, ...] = ()


class Measured(Protocol):
    """What is measured of an epoch."""

    @property
    def init(self) -> InitSegment | None: ...
    @property
    def coding(self) -> str: ...
    @property
    def copied(self) -> bool: ...
    @property
    def fps(self) -> float: ...
    @property
    def gop_s(self) -> float: ...
    @property
    def gop_s_max(self) -> float: ...
    @property
    def warning(self) -> str: ...
    @property
    def failed_encoder(self) -> str: ...
    @property
    def encoder_delay_s(self) -> float | None: ...


def vitals_of(measured: Measured, worker: Worker | None) -> Vitals:
    """As it is now; ``worker`` is None before ffmpeg runs and after it has ended."""
    progress = worker.progress if worker is not None else None
    tracks = measured.init.tracks if measured.init is not None else ()
    pictures = [track for track in tracks if track.kind == "video"]
    return Vitals(
        video_codec=" ".join(dict.fromkeys(track.codec for track in pictures)),
        audio_codec=" ".join(dict.fromkeys(track.codec for track in tracks if track.kind == "audio")),
        width=max((track.width for track in pictures), default=0),
        height=max((track.height for track in pictures), default=0),
        coding=measured.coding,
        copied=measured.copied,
        fps=measured.fps,
        gop_s=measured.gop_s,
        gop_s_max=measured.gop_s_max,
        frames_dropped=progress.dropped if progress else 0,
        frames_duplicated=progress.duplicated if progress else 0,
        speed=progress.speed if progress else None,
        encoder_delay_s=measured.encoder_delay_s,
        complaint=plain_complaint(worker.stderr) if worker is not None else "",
        warnings=_warnings(measured, progress),
    )


def _warnings(measured: Measured, progress: Progress | None) -> tuple[str, ...]:
    warnings = [measured.warning] if measured.warning else []
    if measured.failed_encoder:
        warnings.append(
            f"This machine's encoder {measured.failed_encoder} failed: libx264 encodes the picture in its place, which "
            "takes more of the processor. Look after its driver, or set encoder to software. It is tried again for "
            f"what goes on air after {REST_S / 60:.0f} minutes."
        )
    if progress is not None and progress.speed is not None and progress.speed < SPEED_MIN:
        why = "it comes too slowly" if measured.copied else "it comes too slowly, or this machine encodes too slowly"
        warnings.append(f"It runs at {progress.speed:.2f} times real time, so that viewers will stall: {why}.")
    if progress is not None and progress.frames and progress.dropped > LATE_FRAMES_SHARE * progress.frames:
        warnings.append(
            f"{progress.dropped} frames were dropped: the input's frame rate is uneven or higher than said."
        )
    return tuple(warnings)
