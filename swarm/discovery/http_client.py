"""Fetches a tracker's answer over HTTP: from the address that was checked, bounded in bytes and time, no redirects."""

import asyncio
import zlib
from typing import Final

import httpx
from socksio.exceptions import SOCKSError

from swarm.errors import TrackerError
from swarm.tracker_url import TrackerUrl

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Of an answer as sent, and as unpacked: 200 peers take 5 KiB."""

ANSWER_S: Final = 10.0
USER_AGENT: Final = "seedcast"

_PLAIN: Final = frozenset(("", "identity"))
_GZIP: Final = "gzip"
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


async def fetch(client: httpx.AsyncClient, tracker: TrackerUrl, host: str, path: str) -> bytes:
    """The body of the tracker's answer to this path and query, asked of ``host``, a numeric address of its name.

    The name is not looked up again, so that what was checked is what is asked. Through a proxy ``host`` is the name,
    which the proxy looks up. Raises TrackerError.
    """
    literal = f"[{host}]" if ":" in host else host
    name = f"[{tracker.host}]" if ":" in tracker.host else tracker.host
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            client.stream(
                "GET",
                f"{tracker.scheme}://{literal}:{tracker.port}{path}",
                headers={"host": f"{name}:{tracker.port}", "accept-encoding": _GZIP, "user-agent": USER_AGENT},
                extensions={"sni_hostname": tracker.host} if tracker.ip is None else {},
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise TrackerError(f"it answers {answer.status_code}, not 200; nobody follows it elsewhere")
            return _unpacked(await _bounded(answer), answer.headers.get("content-encoding", ""))
    except TimeoutError as error:
        raise TrackerError(f"it has not answered within {ANSWER_S:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, SOCKSError) as error:
        raise TrackerError(f"it does not answer: {str(error) or type(error).__name__}") from error


def new_client(proxy: str = "") -> httpx.AsyncClient:
    """Asks no proxy that the environment names, follows nothing, keeps no cookies' worth of state between trackers.
    ``proxy``: a socks5:// URL through which all is asked."""
    return httpx.AsyncClient(
        proxy=proxy or None,
        trust_env=False,
        follow_redirects=False,
        timeout=ANSWER_S,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise TrackerError(f"its answer has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The answer itself. A little gzip may stand for gigabytes: no more than the bound is unpacked."""
    if encoding.lower() in _PLAIN:
        return body
    if encoding.lower() != _GZIP:
        raise TrackerError("its answer is packed in a way that was not asked for")
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        found = unpacking.decompress(body, ANSWER_BYTES_MAX + 1)
    except zlib.error as error:
        raise TrackerError("its answer cannot be unpacked") from error
    if len(found) > ANSWER_BYTES_MAX:
        raise TrackerError(f"its answer has more than {ANSWER_BYTES_MAX} bytes, unpacked")
    return found
