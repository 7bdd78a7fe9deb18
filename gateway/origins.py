"""Who may talk to the gateway from a browser: pure ASGI, so that streamed answers pass unbuffered.

* DNS rebinding: a foreign page's own name may be made to point at 127.0.0.1. Its requests then carry that name in
  ``Host``, which is not on the list here. A literal address in ``Host`` cannot be rebound; the one on which the
  connection came in is let through, so that a gateway opened to the LAN answers there.
* Cross-site requests: what changes state must come from a page of an allowed host. curl and ffmpeg send no
  ``Origin`` and are let through.
* CORS (Fetch standard, section 3.2): media may be read by any page; nothing else may.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import problem_response

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MEDIA_PREFIX = "/live/"

MEDIA_HEADERS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"content-length, content-range, date, age"),
)

MISDIRECTED = 421


class Origins:
    """Refuses requests whose Host or Origin is not on the list; lets any page read media."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(name.lower().strip("[]") for name in (*LOOPBACK, *allowed_hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        media = scope["path"].startswith(MEDIA_PREFIX)
        if (refusal := self._refuse(scope, headers)) is not None:
            await refusal(scope, receive, send)
        elif media and scope["method"] == "OPTIONS":
            await _preflight(send)
        else:
            await self._app(scope, receive, _with_cors(send) if media else send)

    def _refuse(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        """The refusal as an application, or None when the request may pass."""
        host = headers.get("host", "")
        if not self._is_allowed(_hostname(f"//{host}"), scope):
            return problem_response(
                MISDIRECTED,
                title="This name does not lead to this gateway",
                detail="Open it at http://localhost, or add the name to allowed_hosts in the settings.",
            )
        origin = headers.get("origin")
        if origin is None or scope["method"] in SAFE_METHODS or self._is_allowed(_hostname(origin), scope):
            return None
        return problem_response(
            403,
            title="A page from elsewhere may not change anything here",
            detail="Use the gateway's own page, or add the page's host to allowed_hosts in the settings.",
        )

    def _is_allowed(self, hostname: str | None, scope: Scope) -> bool:
        if hostname is None:
            return False
        if hostname in self._allowed or "*" in self._allowed:
            return True
        server = scope.get("server")
        return server is not None and hostname == server[0]


def _hostname(url: str) -> str | None:
    """Lower-case host of a URL, without port and brackets; None where there is none, as in ``null``."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _with_cors(send: Send) -> Send:
    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            # No handler sets these; looking for them each time would cost as much as the handler.
            message["headers"] = [*message.get("headers", ()), *MEDIA_HEADERS]
        await send(message)

    return send_with_cors


async def _preflight(send: Send) -> None:
    headers = [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
        (b"access-control-allow-headers", b"range"),
        (b"access-control-max-age", b"86400"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
