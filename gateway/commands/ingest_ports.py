"""The ports besides HTTP on which a gateway takes pushes. One that is taken is told of, and the gateway goes on."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing

from gateway.app import Gateway
from gateway.errors import CannotStart
from gateway.ingest.rtmp import RtmpPort
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
                logger.warning(
                    "No RTMP pushes: port %d is in use. Choose another one by rtmp_port; 0 takes none.",
                    settings.rtmp_port,
                )
        yield addresses
