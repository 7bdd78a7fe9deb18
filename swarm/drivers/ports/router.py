"""Which machine is the home router, and questions to it over UDP. Nobody but that router is asked, or believed."""

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROUTES = Path("/proc/net/route")
TRIES_S = (0.25, 0.5, 1.0)
"""How long each try waits for its answer (RFC 6886, section 3.1, less the long tail)."""

_UP_GATEWAY = 0x3

T = TypeVar("T")


def default_router(routes: Path = ROUTES) -> str | None:
    """The IPv4 host to which packets for the rest of the world go; None where the system does not tell (not Linux)."""
    try:
        lines = routes.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    found = [
        (int(fields[6]), fields[2])
        for fields in map(str.split, lines)
        if len(fields) > 7 and fields[1] == fields[7] == "00000000" and int(fields[3], 16) & _UP_GATEWAY == _UP_GATEWAY
    ]
    return socket.inet_ntoa(struct.pack("=I", int(min(found)[1], 16))) if found else None


async def ask(router: str, port: int, question: bytes, read: Callable[[bytes], T | None]) -> T | None:
    """The router's answer, or None when it says nothing. Raises what ``read`` does, and OSError."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setblocking(False)
        opened.connect((router, port))  # the system drops what comes from anybody else
        for wait_s in TRIES_S:
            await loop.sock_sendall(opened, question)
            try:
                async with asyncio.timeout(wait_s):
                    while True:
                        answer = read(await loop.sock_recv(opened, 1100))
                        if answer is not None:
                            return answer
            except TimeoutError:
                continue
    return None
