"""`seedcast broadcast`: puts one input on air and prints its link."""

import asyncio

from rich.console import Console

from gateway.app import encoding_of, streams_folder
from gateway.broadcasts import Programme, Station, open_station
from gateway.commands.serve import running_gateway
from gateway.ingest.ffmpeg import find_ffmpeg
from gateway.ingest.sources import parse_source
from gateway.reports import Report, report_on
from gateway.settings import Settings
from gateway.shutdown import stop_event, unless_stopped
from gateway.terminal import keep_reporting, put_out


async def run_broadcast(
    settings: Settings, programme: Programme, *, as_json: bool, with_parent: bool, console: Console
) -> None:
    """Broadcast until the input is over or we are stopped. Raises CannotStart and MediaError."""
    parse_source(programme.source, loop=programme.loop)
    ffmpeg = await asyncio.to_thread(find_ffmpeg)
    with stop_event(with_parent=with_parent) as stop:
        async with running_gateway(settings, stop) as (gateway, url):
            station = open_station(
                streams_folder(settings), gateway.studio, programme, ffmpeg=ffmpeg, encoding=encoding_of(settings)
            )
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


def _announce(station: Station, url: str, *, as_json: bool, console: Console) -> None:
    channel = station.on_air.channel
    if not as_json:
        put_out(channel.share_link)
    console.print(f"{channel.title} is on the air. Others watch it by the link above: seedcast watch LINK")
    console.print(f"Watch it here at {url}. Ctrl-C ends it.")


def _report(station: Station, url: str) -> Report:
    channel = station.on_air.channel
    return report_on(channel.status(), state=channel.state, link=channel.share_link, title=channel.title, url=url)
