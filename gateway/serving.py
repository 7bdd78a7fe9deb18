"""Runs an application on a TCP port until it is told to stop: uvicorn, without its own signal handling."""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from gateway.errors import CannotStart
from gateway.http_door import HttpDoor

if sys.platform != "win32":
    import uvloop

GRACE_S = 2
"""Open requests get so long to end when the gateway stops."""


class _Server(uvicorn.Server):
    """Leaves the signals to the command that runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises CannotStart, saying what to choose instead."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise CannotStart(f"There is no address {host}. Choose another one by --host.") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise CannotStart(_explain(error, host, port)) from error
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use. Choose another one: --port {port + 1 if port < 65535 else 0}."
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the system. Choose one from 1024 on by --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"This machine does not have the address {host}. Choose another one by --host."
    return f"Cannot listen on {host}, port {port}: {error.strerror or error}."


def url_of(listener: socket.socket) -> str:
    """What to open in a browser on this machine; names rather than addresses where both work."""
    host, port = listener.getsockname()[:2]
    if host in ("127.0.0.1", "0.0.0.0", "::", "::1"):  # noqa: S104 - compared with, not bound to
        return f"http://localhost:{port}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: FastAPI,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    on_stop: Callable[[], None],
    trusted_proxies: Sequence[str] = (),
) -> None:
    """Answer requests until ``stop``; ``on_stop`` then wakes those that wait. The lifespan is the caller's.

    X-Forwarded-For and X-Forwarded-Proto count in requests from ``trusted_proxies`` alone, addresses or networks.
    """
    config = uvicorn.Config(
        app,
        http=HttpDoor,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        on_stop()
        server.should_exit = True
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await stopping
        await serving


def run(main: Coroutine[object, object, None]) -> None:
    """Run a command's coroutine on the fastest event loop that the system has."""
    factory = None if sys.platform == "win32" else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
