"""The gateway of ``make bench-gateway``: a process that serves a stream of a given bitrate, made without an encoder.

It prints one line with its port and the stream's name, then one for each part: segment, part, and the moment at which
the window was given it. Whole segments also go into a folder, for a plain web server to serve. Ends with its input.
"""

import argparse
import asyncio
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from gateway.app import Gateway
from gateway.channel import Channel
from gateway.commands.serve import running_gateway
from gateway.logs import set_up_logging
from gateway.media.parts import Part
from gateway.media.payload import PieceSlice, pack
from gateway.serving import run
from gateway.settings import load_settings
from gateway.shutdown import stop_event
from swarm.events import PieceReady
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.units import StreamId
from tests.gateway.media_fixture import PIECE_US, PIECES_PER_SEGMENT, Stream, encode, slices, split

EPOCH = 7
LOOP_S = 16
"""A whole number of seconds, of frames of AAC at 48 kHz, and of the picture's frames."""
FIRST_SEGMENT = 1000
FILES_KEPT = 30
OWNER = Identity(b"bench".ljust(32, b"."))


@cache
def reel(bitrate_bps: int) -> tuple[Stream, list[PieceSlice]]:
    """Sixteen seconds at a constant bitrate, filled up where the picture needs less."""
    rate = str(bitrate_bps - 96_000)
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-sc_threshold", "0")
    constant = ("-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate, "-x264-params", "nal-hrd=cbr")
    source = split(encode(seconds=LOOP_S, size="1280x720", video=(*coding, *constant)))
    return source, slices(source)[: LOOP_S * PIECES_PER_SEGMENT]


def pieces(bitrate_bps: int) -> Iterator[PieceSlice]:
    """The reel over and over, with times and numbers that go on."""
    source, made = reel(bitrate_bps)
    scales = {track.track: track.timescale for track in source.init.tracks}
    loop = 0
    while True:
        for piece in made:
            yield PieceSlice(
                segment=FIRST_SEGMENT + piece.segment - made[0].segment + loop * LOOP_S,
                index=piece.index,
                discontinuity=0,
                parts=tuple(_later(part, loop * LOOP_S * scales[part.track]) for part in piece.parts),
            )
        loop += 1


def _later(part: Part, ticks: int) -> Part:
    """The part at a later time: tfdt of version 1, ISO/IEC 14496-12 section 8.8.12."""
    data = bytearray(part.data)
    struct.pack_into(">q", data, data.index(b"tfdt") + 8, part.decode_time + ticks)
    return replace(part, decode_time=part.decode_time + ticks, data=bytes(data))


class Feed:
    """Gives a channel its pieces; times are those of a broadcast that began ``ahead_s`` before now."""

    def __init__(self, channel: Channel, bitrate_bps: int, *, ahead_s: float) -> None:
        self._channel = channel
        media = reel(bitrate_bps)[0].description.to_bytes()
        info = RenditionInfo(number=0, name="main", bitrate_bps=bitrate_bps, piece_us=PIECE_US, k=8, n=12, media=media)
        channel.describe(EPOCH, (info,))
        self._pieces = pieces(bitrate_bps)
        self._number = 0
        self.begin_s = time.time() - ahead_s

    @property
    def due_s(self) -> float:
        """When the next piece is whole."""
        return self.begin_s + (self._number + 1) * PIECE_US / 1e6

    def give(self) -> tuple[int, int, float]:
        """The next piece; its place, and when it was given."""
        piece = next(self._pieces)
        ready = PieceReady(
            stream=self._channel.stream,
            rendition=0,
            epoch=EPOCH,
            number=self._number,
            key=piece.index == 0,
            capture_us=round(self.begin_s * 1e6) + self._number * PIECE_US,
            duration_us=PIECE_US,
            payload=pack(piece),
        )
        now_s = time.time()
        self._channel.add_piece(ready)
        self._number += 1
        return piece.segment, piece.index, now_s


async def fill(feed: Feed, gateway: Gateway) -> None:
    """Everything that is past already, as fast as the disk takes it."""
    assert gateway._shelves is not None
    loop = asyncio.get_running_loop()
    while feed.due_s < time.time():
        feed.give()
        await loop.run_in_executor(gateway._shelves.pool, lambda: None)


async def go_live(feed: Feed, channel: Channel, folder: Path) -> None:
    """The rest as it comes, each part told of; whole segments and their playlist as files."""
    while True:
        await asyncio.sleep(max(feed.due_s - time.time(), 0))
        msn, index, now_s = feed.give()
        sys.stdout.write(f"{msn} {index} {now_s:.6f}\n")
        sys.stdout.flush()
        if index == 0 and (whole := b"".join(channel.window.segment(msn - 1, None))):
            # The files are nginx's: writing them must not hold up the players whom this part has woken.
            await asyncio.to_thread(write_segment, folder, msn - 1, whole, channel.window.plain_playlist())


def write_segment(folder: Path, msn: int, whole: bytes, playlist: bytes) -> None:
    """A whole segment and the playlist that names it, as a web server serves them."""
    (folder / "muxed" / f"{msn}.m4s").write_bytes(whole)
    (folder / "muxed" / f"{msn - FILES_KEPT}.m4s").unlink(missing_ok=True)
    unfinished = folder / "unfinished"
    unfinished.write_bytes(playlist)
    unfinished.replace(folder / "plain.m3u8")


async def serve(options: argparse.Namespace) -> None:
    """Until the input ends."""
    settings = load_settings(port=0, data_dir=options.folder, swarm_host="127.0.0.1", log_level="warning")
    set_up_logging(settings.log_level)
    reel(options.bitrate)
    with stop_event(with_parent=True) as stop:
        async with running_gateway(settings, stop) as (gateway, url):
            channel = gateway.channels.add_local(StreamId(OWNER.key), "Bench")
            files = options.folder / "files" / "live" / channel.name
            (files / "muxed").mkdir(parents=True)
            feed = Feed(channel, options.bitrate, ahead_s=options.fill)
            await fill(feed, gateway)
            print(url.rpartition(":")[2], channel.name, flush=True)
            feeding = asyncio.create_task(go_live(feed, channel, files))
            feeding.add_done_callback(lambda _: stop.set())
            await stop.wait()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bitrate", type=int, default=4_000_000)
    parser.add_argument("--fill", type=float, default=0.0)
    run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
