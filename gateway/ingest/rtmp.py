"""RTMP pushes: a TCP port for many publishers at once, each checked before any of its media is taken.

``rtmp://host/live/<key>``, which in OBS is the server ``rtmp://host/live`` and the stream key. What a publisher sends
becomes FLV and goes the way of all pushes.
"""

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.ingest import flv
from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import IngestError, PushRefused
from gateway.ingest.rtmp_session import HANDSHAKE_BYTES, RtmpSession
from gateway.media.errors import MediaError
from gateway.strangers import Strangers

logger = logging.getLogger(__name__)

STRANGERS_MAX, STRANGERS_MAX_PER_ADDRESS = 64, 16
"""Connections that have shown no key yet; one more is closed at once."""
KEY_WITHIN_S = 5.0
"""From the connection to the key, whatever a stranger sends meanwhile."""
READ_BYTES = 1 << 16
UNREAD_BYTES_MAX = 1 << 16
"""Answers that a publisher leaves unread."""


class RtmpPort:
    """Takes publishers on one listening socket."""

    def __init__(self, desk: IngestDesk, *, key_within_s: float = KEY_WITHIN_S) -> None:
        self._desk = desk
        self._key_within_s = key_within_s
        self._strangers = Strangers(total=STRANGERS_MAX, per_address=STRANGERS_MAX_PER_ADDRESS)
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self, listener: socket.socket, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Until the block ends; pushes that still run end with it. With ``tls`` it takes RTMPS, and only that."""
        within_s = self._key_within_s if tls else None
        server = await asyncio.start_server(
            self._connected,
            sock=listener,
            limit=READ_BYTES,
            ssl=tls,
            ssl_handshake_timeout=within_s,
            ssl_shutdown_timeout=within_s,
        )
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, TimeoutError):
            pass  # gone, or never said what it wants
        except (IngestError, MediaError) as error:
            logger.info("An RTMP push is refused: %s", error)
        except asyncio.CancelledError:
            pass  # the port closes; who waits for this task expects no result
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str((writer.get_extra_info("peername") or [""])[0])
        if not self._strangers.enter(address):
            return
        try:
            session = RtmpSession(os.urandom(HANDSHAKE_BYTES - 8))
            async with asyncio.timeout(self._key_within_s):
                while session.key is None and not session.ended:
                    data = await reader.read(READ_BYTES)
                    if not data:
                        return
                    self._answer(writer, session.feed(data).answer)
        finally:
            self._strangers.leave(address)
        if session.key is None:
            return
        try:
            self._desk.check(session.key)
            self._answer(writer, session.accept())
            await self._desk.receive(session.key, self._media(session, reader, writer))
        except (IngestError, MediaError) as error:
            code = "NetStream.Publish.BadName" if isinstance(error, PushRefused) else "NetStream.Publish.Failed"
            self._answer(writer, session.refuse(code, str(error)))
            raise

    async def _media(
        self, session: RtmpSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> AsyncIterator[bytes]:
        """The publisher's media as FLV, until it ends or goes."""
        yield flv.HEADER
        with suppress(OSError):
            while not session.ended and (data := await reader.read(READ_BYTES)):
                outcome = session.feed(data)
                self._answer(writer, outcome.answer)
                if outcome.media:
                    yield bytes(outcome.media)

    def _answer(self, writer: asyncio.StreamWriter, answer: bytes | bytearray) -> None:
        if not answer:
            return
        if writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            raise ConnectionResetError("it does not read what it is told")
        writer.write(bytes(answer))
