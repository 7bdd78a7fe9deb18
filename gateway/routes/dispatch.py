"""Requests for media, and announces to the tracker, go straight to their handlers: one look-up by path, in place of the
framework's way to them.

With two hundred players that way took three quarters of the gateway's processor. The routes stay the framework's: they
are read from its routers, it describes them, and it answers whatever is not a GET or HEAD of one of them. Many players
ask for the same paths, so what a path leads to is remembered. Pure ASGI.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.problems import Problem

REMEMBERED_MAX = 4096
"""Paths of which is remembered where they lead."""
PATH_CHARS_MAX = 256
"""Longer paths are the framework's."""
METHODS = frozenset({"GET", "HEAD"})

Handler = Callable[..., Coroutine[None, None, Response]]


class Target(NamedTuple):
    """A handler, and what it is given besides the request."""

    handler: Handler
    values: dict[str, object]


class MediaDispatch:
    """Middleware that answers what ``routers`` have a route for. Their handlers take the request and the values in the
    path, and nothing else."""

    def __init__(self, app: ASGIApp, *, routers: Iterable[APIRouter]) -> None:
        self._app = app
        self._routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        self._targets: OrderedDict[str, Target] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = None
        if scope["type"] == "http" and scope["method"] in METHODS and not scope.get("root_path"):
            target = self._find(scope["path"])
        if target is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await target.handler(request, **target.values)
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    def _find(self, path: str) -> Target | None:
        target = self._targets.get(path)
        if target is None and len(path) <= PATH_CHARS_MAX and (target := self._match(path)) is not None:
            self._targets[path] = target
            if len(self._targets) > REMEMBERED_MAX:
                self._targets.popitem(last=False)
        return target

    def _match(self, path: str) -> Target | None:
        for route in self._routes:
            match = route.path_regex.match(path)
            if match is not None:
                converted = {
                    name: route.param_convertors[name].convert(text) for name, text in match.groupdict().items()
                }
                return Target(route.endpoint, converted)
        return None
