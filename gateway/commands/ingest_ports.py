"""The ports besides HTTP on which a gateway takes pushes. One that is taken is told of, and the gateway goes on."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing

from gateway.app import Gateway
from gateway.errors import CannotStart
from gateway.ingest.rtmp import RtmpPort
from gateway.ingest.srt import SrtPort
from gateway.serving import listen

logger = logging.getLogger(__name__)


@asynccontextmanager
async def ingest_ports(gateway: Gateway) -> AsyncIterator[list[str]]:
    """Open until the block ends: where to push to, ``<key>`` in place of the key."""
    settings = gateway.settings
    addresses = []
    async with AsyncExitStack() as stack:
        if settings.rtmp_port:
            try:
                listener = stack.enter_context(closing(listen(settings.host, settings.rtmp_port)))
                await stack.enter_async_context(RtmpPort(gateway.desk).serving(listener))
                addresses.append(f"rtmp://localhost:{settings.rtmp_port}/live/<key>")
            except CannotStart:
                logger.warning("No RTMP pushes: port %d is not free. Choose another rtmp_port.", settings.rtmp_port)
        if settings.srt_port:
            try:
                bound = stack.enter_context(closing(bind(settings.host, settings.srt_port)))
                await stack.enter_async_context(SrtPort(gateway.desk).serving(bound))
                addresses.append(f"srt://localhost:{settings.srt_port}?streamid=<name>&passphrase=<key>")
            except OSError:
                logger.warning("No SRT pushes: port %d is not free. Choose another srt_port.", settings.srt_port)
        yield addresses


def bind(host: str, port: int) -> socket.socket:
    """A UDP socket. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
