"""What stands before an HTTP request is one: heads of bounded size, in bounded time, from not too many at once.

uvicorn's parser takes a head of any length from a connection that may take any time for it. And it throws away what a
sender sent last if it hangs up before that is read, as ffmpeg does behind everything that it pushes.
"""

import asyncio
from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.strangers import Strangers

HEAD_BYTES_MAX = 1 << 16
HEAD_WITHIN_S = 10.0
STRANGERS_MAX, STRANGERS_MAX_PER_ADDRESS = 512, 64

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 31\r\n"
    b"connection: close\r\n\r\nThis head is longer than 64 KiB"
)

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent


class Exchange(RequestResponseCycle):
    """A request whose body is read to its end, also when the sender has hung up meanwhile."""

    _told = False

    async def receive(self) -> "ASGIReceiveEvent":
        message = await super().receive()
        if message["type"] == "http.disconnect" and not self.response_complete and self._has_more:
            message = {"type": "http.request", "body": bytes(self.body), "more_body": self.more_body}
            self.body = bytearray()
        if message["type"] == "http.request":
            self._told = not message["more_body"]
        return message

    @property
    def _has_more(self) -> bool:
        return bool(self.body) or not (self.more_body or self._told)


class HttpDoor(HttpToolsProtocol):
    """One connection. A stranger is one that has not sent a whole head yet."""

    strangers: ClassVar[Strangers] = Strangers(total=STRANGERS_MAX, per_address=STRANGERS_MAX_PER_ADDRESS)
    head_within_s: ClassVar[float] = HEAD_WITHIN_S

    _address = ""
    _strange = False
    _in_head = True
    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._strange = self.strangers.enter(self._address)
        if not self._strange:
            transport.abort()
            return
        self._deadline = self.loop.call_later(self.head_within_s, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._know()
        self._cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head = True
        self._deadline = self._deadline or self.loop.call_later(self.head_within_s, self._close)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers, which nobody here reads, come behind the body
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._know()
        self._cancel()
        super().on_headers_complete()
        if self.cycle is not None and type(self.cycle) is RequestResponseCycle:
            self.cycle.__class__ = Exchange  # uvicorn has no setting for it

    def _know(self) -> None:
        if self._strange:
            self._strange = False
            self.strangers.leave(self._address)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self.transport.abort()
