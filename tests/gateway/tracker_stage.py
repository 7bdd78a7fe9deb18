"""A gateway on loopback that is a tracker for one stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app import Gateway, web_app
from gateway.serving import listen, serve
from gateway.settings import Settings
from swarm.link import Link
from swarm.tracker_url import TrackerUrl, parse_tracker
from swarm.units import StreamId


@asynccontextmanager
async def gateway(stream: StreamId, folder: Path, **options: object) -> AsyncIterator[TrackerUrl]:
    """The URL of its tracker, while it runs; it knows the stream."""
    settings = Settings.model_validate({"data_dir": folder, "swarm_host": "127.0.0.1", "port": 0, **options})
    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        made = Gateway(settings)
        made.channels.add(Link(stream))
        app = web_app(made)
        async with app.router.lifespan_context(app):
            serving = asyncio.create_task(serve(app, listener, stop, on_stop=made.channels.close))
            try:
                yield parse_tracker(f"http://127.0.0.1:{listener.getsockname()[1]}/announce")
            finally:
                stop.set()
                await serving
