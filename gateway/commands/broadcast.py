"""`seedcast broadcast`: puts one input on air and prints its link."""

import asyncio
from dataclasses import replace

from rich.console import Console

from gateway.app import encoding_of
from gateway.broadcasts import Programme, Station
from gateway.commands.link import print_code
from gateway.commands.serve import running_gateway
from gateway.errors import CannotStart
from gateway.ingest.broadcast import BroadcastStats
from gateway.ingest.ffmpeg import find_ffmpeg
from gateway.ingest.private_hosts import leads_to_private
from gateway.problems import Problem
from gateway.reports import Figures, Report, report_on
from gateway.settings import Settings
from gateway.shutdown import stop_event, unless_stopped
from gateway.terminal import ask_secret, keep_reporting, named, put_out
from swarm.link import short_name
from swarm.passwords import CHARS_MAX, CHARS_MIN


def choose_password(console: Console) -> str:
    """The password of a broadcast, typed twice. Raises CannotStart for one that is guessed too easily."""
    password = ask_secret("Password for viewers", console, twice=True)
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        raise CannotStart(f"A password has {CHARS_MIN} to {CHARS_MAX} characters. Choose another one.")
    return password


async def run_broadcast(
    settings: Settings, programme: Programme, *, as_json: bool, with_parent: bool, console: Console
) -> None:
    """Broadcast until the input is over or we are stopped. Raises CannotStart and MediaError."""
    programme.parse()
    # Who types a private address means it; who types a public one has not asked to be led to a private one.
    if await asyncio.to_thread(lambda: any(map(leads_to_private, programme.sources))):
        programme = replace(programme, allow_private=True)
    ffmpeg = await asyncio.to_thread(find_ffmpeg)
    with stop_event(with_parent=with_parent) as stop:
        async with running_gateway(settings, stop) as (gateway, url):
            try:
                station = gateway.broadcasts.open(programme, ffmpeg=ffmpeg, encoding=encoding_of(settings))
            except Problem as problem:
                raise CannotStart(str(problem)) from problem
            gateway.broadcasts.add(station)
            await _run(station, stop, url, as_json=as_json, console=console)


async def _run(station: Station, stop: asyncio.Event, url: str, *, as_json: bool, console: Console) -> None:
    """Until the input is over or ``stop``. Raises what kept the input from going on air."""
    running = asyncio.create_task(station.run(), name="broadcast")
    over = asyncio.Event()
    running.add_done_callback(lambda _: over.set())
    try:
        if await unless_stopped(station.on_air.started.wait(), over, stop):
            _announce(station, url, as_json=as_json, console=console)
            await keep_reporting(lambda: _report(station, url), over, stop, as_json=as_json, console=console)
    finally:
        await station.stop()
    await running
    if station.trouble:
        console.print(station.trouble)


def _announce(station: Station, url: str, *, as_json: bool, console: Console) -> None:
    channel = station.on_air.channel
    if not as_json:
        put_out(channel.share_link)
        print_code(channel.shared, console)
    console.print(
        f"{named(channel.title, channel.stream)} is on the air. Others watch it by the link above: seedcast watch LINK"
    )
    console.print(f"Watch it here at {url}. Ctrl-C ends it.")


def _report(station: Station, url: str) -> Report:
    channel = station.on_air.channel
    return report_on(
        channel.status(),
        state=channel.state,
        link=channel.share_link,
        title=channel.title,
        key=short_name(channel.stream),
        url=url,
        broadcast=_figures(station.broadcast.stats),
    )


def _figures(stats: BroadcastStats) -> Figures:
    vitals = stats.vitals
    size = f" {vitals.width}x{vitals.height}" if vitals.width else ""
    return Figures(
        video=vitals.video_codec + size,
        audio=vitals.audio_codec,
        fps=round(vitals.fps, 3),
        in_bps=stats.in_bps,
        out_bps=stats.bitrate_bps,
        gop_s=round(vitals.gop_s, 3),
        speed=round(vitals.speed, 3) if vitals.speed is not None else None,
        frames_dropped=vitals.frames_dropped,
        frames_duplicated=vitals.frames_duplicated,
        encoder_delay_s=vitals.encoder_delay_s,
        restarts=stats.restarts,
        complaint=vitals.complaint,
        warnings=vitals.warnings,
    )
