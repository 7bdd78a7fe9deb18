"""How far the key frames of a film are apart, before it goes on air: its first seconds are copied and looked at."""

import asyncio

from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess
from gateway.ingest.probe import InputVideo
from gateway.ingest.sources import FileSource
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment, Part
from gateway.media.splitter import PartSplitter

LOOK_S = 20
"""Encoders put a key frame every 10 s at least, if they are left alone."""
LOOK_BYTES_MAX = 64 << 20
LOOK_WITHIN_S = 10.0


async def find_longest_gop(ffmpeg: Ffmpeg, source: FileSource, video: InputVideo) -> float:
    """Seconds between the key frames that are furthest apart; 0 when it cannot be told.

    What has been looked at when time or space runs out counts. Raises nothing that its broadcast would not.
    """
    tag = ["-tag:v", "hvc1"] if video.codec == "hevc" else []
    arguments = ["-v", "error", "-t", str(LOOK_S), "-i", f"file:{source.path}", "-map", "0:v:0", "-c", "copy", *tag]
    arguments += ["-f", "mp4", "-movflags", "cmaf+frag_keyframe+delay_moov", "-frag_duration", "500000", "pipe:1"]
    lengths = _Lengths()
    async with await FfmpegProcess.start(ffmpeg, arguments) as process:
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                while lengths.size_bytes < LOOK_BYTES_MAX and (data := await process.read()):
                    lengths.feed(data)
        except (TimeoutError, MediaError):
            pass
    return lengths.longest_s


class _Lengths:
    def __init__(self) -> None:
        self.size_bytes = 0
        self.longest_s = 0.0
        self._splitter = PartSplitter()
        self._timescale = 1
        self._length_s = 0.0

    def feed(self, data: bytes) -> None:
        """Raises MediaError."""
        self.size_bytes += len(data)
        for event in self._splitter.feed(data):
            if isinstance(event, InitSegment):
                self._timescale = event.lead.timescale
            elif isinstance(event, Part):
                self._length_s = event.duration / self._timescale + (0.0 if event.key else self._length_s)
                self.longest_s = max(self.longest_s, self._length_s)
