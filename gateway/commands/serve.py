"""`seedcast gateway`: the gateway itself. Other commands that need one of their own run it from here too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from rich.console import Console

from gateway.app import Gateway, web_app
from gateway.commands.ingest_ports import ingest_ports
from gateway.serving import listen, serve, url_of
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import named


async def run_gateway(settings: Settings, *, with_parent: bool, console: Console) -> None:
    """Serve until stopped. Raises CannotStart."""
    with stop_event(with_parent=with_parent) as stop:
        async with running_gateway(settings, stop) as (gateway, url), ingest_ports(gateway) as pushes:
            console.print(f"Open {url} in a browser. Ctrl-C ends the gateway.")
            for channel in gateway.channels.all():
                console.print(f"  {named(channel.title, channel.stream)}: {url}/live/{channel.name}/index.m3u8")
            for address in pushes:
                console.print(f"  Push to {address}", markup=False, highlight=False)
            await stop.wait()


@asynccontextmanager
async def running_gateway(settings: Settings, stop: asyncio.Event) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway that answers, and its URL on this machine. Ends at ``stop`` or with the block; sets ``stop``."""
    with closing(listen(settings.host, settings.port)) as listener:
        gateway = Gateway(settings.model_copy(update={"port": listener.getsockname()[1]}))
        app = web_app(gateway)
        async with app.router.lifespan_context(app):
            answering = serve(
                app, listener, stop, on_stop=gateway.channels.close, trusted_proxies=settings.trusted_proxies
            )
            serving = asyncio.create_task(answering)
            serving.add_done_callback(lambda _: stop.set())
            try:
                yield gateway, url_of(listener)
            finally:
                stop.set()
                await serving
