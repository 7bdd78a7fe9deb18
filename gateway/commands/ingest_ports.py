"""The ports besides HTTP on which a gateway takes pushes. One that is taken is told of, and the gateway goes on."""

import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

from gateway.app import Gateway
from gateway.errors import CannotStart
from gateway.ingest.certificate import server_context
from gateway.ingest.rtmp import RtmpPort
from gateway.ingest.srt import SrtPort
from gateway.ingest.webrtc.dtls import INSTALLED
from gateway.serving import listen
from gateway.settings import Settings

logger = logging.getLogger(__name__)


@asynccontextmanager
async def ingest_ports(gateway: Gateway) -> AsyncIterator[list[str]]:
    """Open until the block ends: where to push to, ``<key>`` in place of the key.

    Raises CannotStart when RTMPS is asked for and its certificate cannot be used.
    """
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
        if settings.rtmps_port and (settings.rtmps_cert or settings.rtmps_key):
            tls = certificate(settings)
            try:
                listener = stack.enter_context(closing(listen(settings.host, settings.rtmps_port)))
                await stack.enter_async_context(RtmpPort(gateway.desk).serving(listener, tls=tls))
                addresses.append(f"rtmps://localhost:{settings.rtmps_port}/live/<key>")
            except CannotStart:
                logger.warning("No RTMPS pushes: port %d is not free. Choose another rtmps_port.", settings.rtmps_port)
        if settings.srt_port:
            try:
                bound = stack.enter_context(closing(bind(settings.host, settings.srt_port)))
                await stack.enter_async_context(SrtPort(gateway.desk).serving(bound))
                addresses.append(f"srt://localhost:{settings.srt_port}?streamid=<name>&passphrase=<key>")
            except OSError:
                logger.warning("No SRT pushes: port %d is not free. Choose another srt_port.", settings.srt_port)
        if settings.whip_port and INSTALLED:
            try:
                bound = stack.enter_context(closing(bind(settings.host, settings.whip_port)))
                await stack.enter_async_context(gateway.whip.serving(bound))
                addresses.append(f"http://localhost:{settings.port}/whip with <key> as bearer token (WHIP)")
            except OSError:
                logger.warning("No WHIP pushes: port %d is not free. Choose another whip_port.", settings.whip_port)
        yield addresses


def certificate(settings: Settings) -> ssl.SSLContext:
    """What RTMPS shows to publishers. Raises CannotStart."""
    if not (settings.rtmps_cert and settings.rtmps_key):
        raise CannotStart("RTMPS needs both rtmps_cert and rtmps_key: one of them is not set.")
    return server_context(Path(settings.rtmps_cert).expanduser(), Path(settings.rtmps_key).expanduser())


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
