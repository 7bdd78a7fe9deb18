"""A gateway's ingest on loopback without the rest of a gateway: every port to push to, and what comes out of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from gateway.commands.ingest_ports import bind
from gateway.http_door import HttpDoor
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.rtmp import RtmpPort
from gateway.ingest.srt import SrtPort
from gateway.ingest.uploads import Uploads
from gateway.ingest.whip import Whip
from gateway.problems import install
from gateway.routes.ingest import ingest_router
from gateway.routes.whip import whip_router
from gateway.serving import listen
from tests.gateway.ingest.streams import Listener


@dataclass(frozen=True, slots=True)
class Site:
    """Where to push to with its one key, and what has become of the pushes."""

    listener: Listener
    addresses: dict[str, str]


@asynccontextmanager
async def open_site(tool: Ffmpeg) -> AsyncIterator[Site]:
    """Until the block ends."""
    keys, listener = IngestKeys(), Listener()
    key = keys.add("studio").key
    desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
    uploads, whip = Uploads(desk), Whip(desk)
    app = FastAPI()
    install(app)
    app.include_router(ingest_router(desk, uploads))
    app.include_router(whip_router(whip))
    web, rtmp = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    with closing(web), closing(rtmp), closing(bind("127.0.0.1", 0)) as srt, closing(bind("127.0.0.1", 0)) as rtc:
        addresses = {
            "http": f"http://127.0.0.1:{web.getsockname()[1]}/ingest/{key}",
            "rtmp": f"rtmp://127.0.0.1:{rtmp.getsockname()[1]}/live/{key}",
            "srt": f"srt://127.0.0.1:{srt.getsockname()[1]}?streamid=studio&passphrase={key}",
            "whip": f"http://127.0.0.1:{web.getsockname()[1]}/whip/{key}",
        }
        server = uvicorn.Server(uvicorn.Config(app, http=HttpDoor, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[web]))
        async with RtmpPort(desk).serving(rtmp), SrtPort(desk).serving(srt), whip.serving(rtc):
            yield Site(listener, addresses)
        await uploads.close()
        server.should_exit = True
        await serving
        desk.close()
