"""How many players watch each stream: who has asked for something of it lately. Pure ASGI."""

import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.origins import MEDIA_PREFIX

ACTIVE_S = 10.0
PLAYERS_MAX = 4096
"""Players remembered, all streams together; beyond that the one not heard of for longest is forgotten."""

Player = tuple[str, str, str]
"""Stream's name, client's address, client's User-Agent: two tabs of one browser count as one."""


class Audience:
    """Remembers when each player last asked for something."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen_s: dict[Player, float] = {}

    def note(self, player: Player) -> None:
        self._seen_s.pop(player, None)
        self._seen_s[player] = self._clock()
        if len(self._seen_s) > PLAYERS_MAX:
            del self._seen_s[next(iter(self._seen_s))]

    def count(self, name: str) -> int:
        """Players of the stream that were active within ``ACTIVE_S``."""
        since = self._clock() - ACTIVE_S
        return sum(seen_s >= since for (stream, *_), seen_s in self._seen_s.items() if stream == name)


class AudienceCounter:
    """Middleware that notes each request for media, and each piece of an answer that goes on and on."""

    def __init__(self, app: ASGIApp, *, audience: Audience) -> None:
        self._app = app
        self._audience = audience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(MEDIA_PREFIX):
            await self._app(scope, receive, send)
            return
        name = scope["path"][len(MEDIA_PREFIX) :].partition("/")[0]
        client = scope.get("client")
        agent = Headers(scope=scope).get("user-agent", "")
        player = (name[:64], client[0] if client else "", agent[:200])

        async def send_and_note(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                self._audience.note(player)

        self._audience.note(player)
        await self._app(scope, receive, send_and_note)
