"""Lists of streams that the user of this gateway does not want on it, from files and URLs that the user has chosen.

A list is text: a stream's name or link on each line, a reason behind it if there is one, and remarks behind a ``#``
that stands at the beginning of a line or after a blank. What came from a URL is kept on disk, so that it holds when the
next start finds no network.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from gateway.errors import CannotStart
from gateway.private_files import write_whole
from swarm.errors import LinkError
from swarm.link import SCHEME, STREAM_CHARS, parse_stream_name
from swarm.manifest import is_printable
from swarm.units import StreamId

logger = logging.getLogger(__name__)

LIST_BYTES_MAX = 8 * 1024 * 1024
ENTRIES_MAX = 100_000
REASON_CHARS_MAX = 120
FETCH_S = 20.0
URL_SCHEMES = ("http://", "https://")


class Blocklists:
    """All lists together. ``places`` are paths and URLs; ``folder`` keeps what came from URLs."""

    def __init__(self, places: Sequence[str], folder: Path, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Raises CannotStart for a file that cannot be read: who blocks streams wants to know that it works."""
        self._places = places
        self._folder = folder
        self._transport = transport
        self._lists: dict[str, dict[StreamId, str]] = {}
        for place in places:
            try:
                self._lists[place] = _read(self._path(place))
            except (OSError, ValueError) as error:
                if not place.startswith(URL_SCHEMES):
                    raise CannotStart(f"The blocklist {place} cannot be read: {error}") from error

    def reason(self, stream: StreamId) -> str | None:
        """Why a stream is blocked; None when it is not."""
        for place, entries in self._lists.items():
            if stream in entries:
                return entries[stream] or f"it is on the list {place}"
        return None

    async def keep_fresh(self, every_s: float) -> None:
        """Read and fetch all lists now and then, for ever; run as one task. What fails keeps what it had."""
        while self._places:
            await self.refresh()
            await asyncio.sleep(every_s)

    async def refresh(self) -> None:
        """Read the files and fetch the URLs once."""
        for place in self._places:
            try:
                if place.startswith(URL_SCHEMES):
                    data = await self._fetch(place)
                    self._lists[place] = _parse(data)
                    await asyncio.to_thread(write_whole, self._path(place), data)
                else:
                    self._lists[place] = await asyncio.to_thread(_read, self._path(place))
            except (OSError, ValueError, httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
                logger.warning("The blocklist %s stays as it was: %s", place, str(error) or type(error).__name__)

    async def _fetch(self, url: str) -> bytes:
        """The body as it is on the wire: what is packed could be endless.

        Raises ValueError, HTTPError, InvalidURL, TimeoutError.
        """
        async with (
            asyncio.timeout(FETCH_S),
            httpx.AsyncClient(transport=self._transport, timeout=FETCH_S) as client,
            client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"the server answers {answer.status_code}")
            if "content-encoding" in answer.headers:
                raise ValueError("the server packs its answer although it was asked not to")
            data = bytearray()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > LIST_BYTES_MAX:
                    raise ValueError(f"it is over {LIST_BYTES_MAX} bytes")
            return bytes(data)

    def _path(self, place: str) -> Path:
        if not place.startswith(URL_SCHEMES):
            return Path(place).expanduser()
        return self._folder / f"{hashlib.blake2b(place.encode(), digest_size=10).hexdigest()}.txt"


def _read(path: Path) -> dict[StreamId, str]:
    with path.open("rb") as file:
        return _parse(file.read(LIST_BYTES_MAX + 1))


def _parse(data: bytes) -> dict[StreamId, str]:
    """Raises ValueError for what is too long, or has lines but no stream: it is something else than a list."""
    if len(data) > LIST_BYTES_MAX:
        raise ValueError(f"it is over {LIST_BYTES_MAX} bytes")
    entries: dict[StreamId, str] = {}
    strange = 0
    for line in _lines(data.decode("utf-8", "replace")):
        name, _, reason = line.partition(" ")
        try:
            stream = parse_stream_name(name.removeprefix(SCHEME)[:STREAM_CHARS])
        except LinkError:
            strange += 1
            continue
        entries[stream] = reason.strip()[:REASON_CHARS_MAX] if is_printable(reason) else ""
        if len(entries) > ENTRIES_MAX:
            raise ValueError(f"it has over {ENTRIES_MAX} streams")
    if strange and not entries:
        raise ValueError("no line of it names a stream")
    return entries


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        bare = f" {line}".partition(" #")[0].strip()
        if bare:
            yield bare
