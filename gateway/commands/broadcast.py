"""`seedcast broadcast`: puts one input on air and prints its link."""

import asyncio
import hashlib
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from gateway.app import Gateway, encoding_of
from gateway.commands.serve import running_gateway
from gateway.errors import CannotStart
from gateway.ingest.broadcast import Broadcast
from gateway.ingest.ffmpeg import Ffmpeg, find_ffmpeg
from gateway.ingest.numbering import Numbering
from gateway.ingest.sources import Encoding, Source, TestSource, parse_source
from gateway.key_files import KeyFile, KeyInUse, open_key, passing_key
from gateway.on_air import OnAir
from gateway.reports import Report, report_on
from gateway.settings import Settings
from gateway.shutdown import stop_event, unless_stopped
from gateway.terminal import keep_reporting, put_out
from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.link import Link, format_link
from swarm.units import StreamId

TAIL_S = 1.0
"""After the end of the input peers may still ask for what they miss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What is to be broadcast. ``new_key``: as a stream of its own, not the one that had this title before."""

    source: str
    title: str
    loop: bool = False
    new_key: bool = False


async def run_broadcast(
    settings: Settings, programme: Programme, *, as_json: bool, with_parent: bool, console: Console
) -> None:
    """Broadcast until the input is over or we are stopped. Raises CannotStart and MediaError."""
    source = _sized(parse_source(programme.source, loop=programme.loop), encoding_of(settings))
    ffmpeg = await asyncio.to_thread(find_ffmpeg)
    with (
        closing(_stream_key(settings.data_dir, programme)) as key,
        stop_event(with_parent=with_parent) as stop,
    ):
        async with running_gateway(settings, stop) as (gateway, url):
            station = _Station(gateway, source, ffmpeg, key.identity, programme.title)
            await station.run(stop, url, as_json=as_json, console=console)


class _Station:
    """One broadcast with the sink that takes it on air."""

    def __init__(self, gateway: Gateway, source: Source, ffmpeg: Ffmpeg, owner: Identity, title: str) -> None:
        encoding = encoding_of(gateway.settings)
        self._on_air: OnAir = gateway.studio.open(owner, title, lambda: self._broadcast.bitrate_bps)
        self._broadcast = Broadcast(
            source,
            ffmpeg=ffmpeg,
            encoding=encoding,
            numbering=Numbering(unix_s=time.time(), piece_s=encoding.part_s, segment_s=encoding.segment_s),
            on_description=self._on_air.description,
            on_piece=self._on_air.piece,
        )

    async def run(self, stop: asyncio.Event, url: str, *, as_json: bool, console: Console) -> None:
        """Until the input is over or ``stop``. Raises what kept the input from going on air."""
        running = asyncio.create_task(self._broadcast.run(), name="broadcast")
        over = asyncio.Event()
        running.add_done_callback(lambda _: over.set())
        try:
            if await unless_stopped(self._on_air.started.wait(), over, stop):
                self._announce(url, as_json=as_json, console=console)
                await keep_reporting(lambda: self._report(url), over, stop, as_json=as_json, console=console)
            if over.is_set() and not stop.is_set():
                await asyncio.sleep(TAIL_S)
        finally:
            await self._broadcast.stop()
            self._on_air.ended()
        await running

    def _announce(self, url: str, *, as_json: bool, console: Console) -> None:
        channel = self._on_air.channel
        if not as_json:
            put_out(channel.share_link)
        console.print(f"{channel.title} is on the air. Others watch it by the link above: seedcast watch LINK")
        console.print(f"Watch it here at {url}. Ctrl-C ends it.")

    def _report(self, url: str) -> Report:
        channel = self._on_air.channel
        return report_on(channel.status(), state=channel.state, link=channel.share_link, title=channel.title, url=url)


def _sized(source: Source, encoding: Encoding) -> Source:
    """The test picture in the size of the highest rung."""
    if not isinstance(source, TestSource) or not encoding.ladder:
        return source
    highest = encoding.ladder[-1]
    return replace(source, width=highest.width, height=highest.height)


def _stream_key(data_dir: Path, programme: Programme) -> KeyFile:
    """The key of the stream with this title; the same title gives the same stream again."""
    digest = hashlib.blake2b(programme.title.encode(), digest_size=10).hexdigest()
    try:
        key = passing_key() if programme.new_key else open_key(data_dir / "streams" / f"{digest}.key")
    except KeyInUse as error:
        raise CannotStart(
            f"{programme.title} is on the air from this machine already. Choose another --title, or --new-key."
        ) from error
    try:
        format_link(Link(StreamId(key.identity.key), programme.title))
    except LinkError as error:
        key.close()
        raise CannotStart(f"This title cannot be used: {error}.") from error
    return key
