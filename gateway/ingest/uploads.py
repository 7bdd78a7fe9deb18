"""Whose objects they are: of each key one sender is on air, and another one may wait, as with pushes on one connection.

Senders are told apart by what the caller says of them: an address, and a name if they give one. Of one sender, two
encoders are told apart by their numbers alone. The one that began last then counts as the first one started anew, and
goes on air; the other one is known again by its going on, and waits from then on. Where even the numbers are close
together, objects are taken for repeated ones, as synchronous encoders send them.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import IngestError, KeyBusy, PushUnusable
from gateway.ingest.object_names import ObjectName, read_name
from gateway.ingest.upload import FAR, StartedAnew, Upload
from gateway.media.errors import MediaError

logger = logging.getLogger(__name__)

SENDERS_MAX = 2
"""For each key: one on air, one that waits."""


class _Senders:
    """The uploads of one key."""

    def __init__(self, desk: IngestDesk, key: str) -> None:
        self._desk = desk
        self._key = key
        self._running: list[Upload] = []
        self._ending: list[Upload] = []
        self._former: Upload | None = None
        self._heard: dict[Upload, int] = {}
        self._count = itertools.count()

    @property
    def uploads(self) -> list[Upload]:
        """All that may still have work to do."""
        return [*self._running, *self._ending]

    async def receive(self, sender: str, name: ObjectName, body: AsyncIterator[bytes]) -> None:
        """Take one object. Raises IngestError, MediaError."""
        own = sorted(
            (upload for upload in self._running if upload.sender == sender and not upload.work.done()),
            key=lambda upload: (upload.distance(name), -self._heard[upload]),
        )
        if name.kind == "playlist":
            if len(own) == 1:  # else it names what has not come, or it may be either one's
                await own[0].receive(name, body)
            return
        if self._former_goes_on(name, own):
            assert self._former is not None
            inits, self._former = self._former.inits, None
            await self._take(self._open(sender, inits), name, body)
            return
        for upload in own:
            try:
                await self._take(upload, name, body)
            except StartedAnew as anew:
                body = _after(anew.head, body)
            else:
                return
        begun = [upload for upload in self._running if upload.sender == sender and upload not in own]
        if own and begun:  # another connection of this sender was the first to begin anew
            await self._take(begun[-1], name, body)
            return
        inits = self._end_one_of(own).newest_inits if own else {}
        await self._take(self._open(sender, inits), name, body)

    def _former_goes_on(self, name: ObjectName, own: list[Upload]) -> bool:
        """Whether an upload that was taken to be over is not."""
        if self._former is None or not own or self._former.sender != own[0].sender:
            return False
        return self._former.distance(name) < min(own[0].distance(name), FAR)

    async def _take(self, upload: Upload, name: ObjectName, body: AsyncIterator[bytes]) -> None:
        self._heard[upload] = next(self._count)
        await upload.receive(name, body)

    def _end_one_of(self, own: list[Upload]) -> Upload:
        """The sender has begun anew: what it sent least lately is over."""
        upload = min(own, key=lambda upload: self._heard.get(upload, -1))
        upload.end()
        self._former = upload
        if upload in self._running:
            self._running.remove(upload)
            self._ending.append(upload)
        return upload

    def _open(self, sender: str, inits: dict[str, bytes]) -> Upload:
        """Raises KeyBusy, MediaError."""
        if len(self._running) >= SENDERS_MAX:
            raise KeyBusy
        upload = Upload(self._desk, self._key, sender)
        self._running.append(upload)
        self._heard[upload] = next(self._count)
        upload.work.add_done_callback(lambda _: self._forget(upload))
        upload.adopt(inits)
        return upload

    def _forget(self, upload: Upload) -> None:
        if not upload.work.cancelled():
            try:
                upload.work.result()
            except (IngestError, MediaError) as error:
                logger.info("An upload has ended: %s", error)
        self._heard.pop(upload, None)
        for uploads in (self._running, self._ending):
            if upload in uploads:
                uploads.remove(upload)


class Uploads:
    """The uploads of all keys."""

    def __init__(self, desk: IngestDesk) -> None:
        self._desk = desk
        self._senders: dict[str, _Senders] = {}

    async def receive(self, key: str, path: str, body: AsyncIterator[bytes], *, sender: str = "") -> None:
        """Take one object of a push with the key. Raises IngestError, MediaError."""
        entry = self._desk.check(key)
        name = read_name(path)
        if name.kind == "other":
            raise PushUnusable("Only segments (.ts, .mp4, .m4s, .cmfv, .cmfa) and playlists (.m3u8, .mpd) are taken.")
        senders = self._senders.get(entry.key) or _Senders(self._desk, entry.key)
        self._senders[entry.key] = senders
        try:
            await senders.receive(sender, name, body)
        finally:
            if not senders.uploads and self._senders.get(entry.key) is senders:
                del self._senders[entry.key]

    async def close(self) -> None:
        """End all that run. Returns when they have ended."""
        uploads = [upload for senders in self._senders.values() for upload in senders.uploads]
        for upload in uploads:
            upload.work.cancel()
        await asyncio.gather(*(upload.work for upload in uploads), return_exceptions=True)


async def _after(head: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for data in body:
        yield data
