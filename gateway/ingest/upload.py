"""One push that comes as objects: HLS and DASH by PUT, tracks of CMAF by POST (DASH-IF Live Media Ingest, 1 and 2).

The objects of one sender, on as many connections as it likes, become one stream of bytes and go to the desk like any
other push.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from gateway.ingest.desk import IngestDesk
from gateway.ingest.errors import InitMissing, PushUnusable
from gateway.ingest.fragmented import FILE_TYPES
from gateway.ingest.object_names import ObjectName
from gateway.ingest.object_order import ObjectOrder
from gateway.ingest.push_body import Line
from gateway.ingest.track_merge import TRACKS_MAX, TrackFeed, TrackMerge, is_transport_stream
from gateway.media.boxes import read_header
from gateway.media.errors import MediaError
from gateway.media.splitter import BOX_BYTES_MAX

QUEUE_BYTES_MAX = 4 << 20
PLAYLIST_BYTES_MAX = 1 << 20
INIT_BYTES_MAX = 2 << 20
INIT_WITHIN_S = 2.0
"""Media segments may be here before the init segment that was sent before them on another connection."""
FAR = 1 << 62
OVER = (b"#EXT-X-ENDLIST", b'type="static"')
"""By which a playlist says that nothing more will come."""


class StartedAnew(Exception):
    """The sender has begun a new push under the old names; ``head`` is what was read of the object that shows it."""

    def __init__(self, head: bytes) -> None:
        self.head = head


class _Track:
    """One track: the order of its objects, and where they go."""

    def __init__(self, merge: TrackMerge) -> None:
        self.feed = TrackFeed(merge)
        self.order = ObjectOrder(self.feed.feed, self.feed.end_object)
        self.endless = False
        self.beginning = False
        self.newest_init = b""
        self.init_again = False


class Upload:
    """One sender's push, from its first object to its end."""

    def __init__(self, desk: IngestDesk, key: str, sender: str = "") -> None:
        self.sender = sender
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._over = False
        self._broken = False
        self._init_came = asyncio.Event()
        self._merge = TrackMerge(self._put)
        self._tracks: dict[str, _Track] = {}
        self._open_endless = 0
        self.work = asyncio.create_task(self._push(desk, key), name="upload")

    async def receive(self, name: ObjectName, body: AsyncIterator[bytes]) -> None:
        """Take one object to its end. Raises StartedAnew; IngestError, MediaError, also those of the whole push."""
        if name.kind == "playlist":
            await self._read_playlist(body)
            return
        track = self._tracks.get(name.track) or self._add(name.track)
        try:
            if name.number is None:
                await self._take_unnumbered(track, body)
            else:
                await self._take(track, name.number, body)
        except MediaError as error:
            raise PushUnusable(str(error)) from error

    def distance(self, name: ObjectName) -> int:
        """How far a numbered object is from the one whose turn it is; `FAR` where nothing is known of its track."""
        begun = [track for track in self._tracks.values() if track.order.next is not None]
        own = self._tracks.get(name.track)
        track = own if own in begun else begun[0] if len(begun) == 1 else None
        if track is None or track.order.next is None or name.number is None:
            return FAR
        return abs(track.order.next - name.number)

    @property
    def inits(self) -> dict[str, bytes]:
        """By track, those that its media goes with."""
        return {name: track.feed.init_bytes for name, track in self._tracks.items() if track.feed.init_bytes}

    @property
    def newest_inits(self) -> dict[str, bytes]:
        """By track, also those that came for a new push before its media did."""
        return {name: track.newest_init for name, track in self._tracks.items() if track.newest_init}

    def adopt(self, inits: dict[str, bytes]) -> None:
        """Begin with the init segments that were sent to the push before. Raises MediaError."""
        for name, init in inits.items():
            self._set_init(self._add(name), init)

    def end(self) -> None:
        """Nothing more comes; what has come is still put on air."""
        self._over = True
        self._news.set()

    async def _push(self, desk: IngestDesk, key: str) -> None:
        await desk.receive(key, self._read(), line=self._line)

    def _line(self) -> Line:
        return Line.OVER if self._over else Line.BROKEN if self._broken else Line.UP

    async def _read(self) -> AsyncIterator[bytes]:
        while True:
            while self._waiting:
                data = self._waiting.popleft()
                self._bytes -= len(data)
                if self._bytes < QUEUE_BYTES_MAX:
                    self._room.set()
                yield data
            if self._over:
                return
            self._news.clear()
            await self._news.wait()

    def _put(self, data: bytes) -> None:
        self._broken = False
        self._waiting.append(data)
        self._bytes += len(data)
        if self._bytes >= QUEUE_BYTES_MAX:
            self._room.clear()
        self._news.set()

    async def _wait_for_room(self) -> None:
        """Raises what ended the push, if it has ended."""
        if not self._room.is_set() and not self.work.done():
            waiting = asyncio.create_task(self._room.wait())
            await asyncio.wait((waiting, self.work), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        if self.work.done() and not self.work.cancelled() and (error := self.work.exception()) is not None:
            raise error

    def _set_init(self, track: _Track, init: bytes) -> None:
        track.init_again = bool(track.newest_init)
        track.newest_init = init
        if not track.feed.init_bytes:
            track.feed.set_init(init)
            self._init_came.set()

    def _add(self, name: str) -> _Track:
        """A track that is new; one without an init segment of its own belongs to the only one that has one."""
        if len(self._tracks) >= TRACKS_MAX:
            raise PushUnusable(f"More than {TRACKS_MAX} tracks.")
        track = self._tracks[name] = _Track(self._merge)
        return track

    async def _with_init(self, track: _Track) -> _Track:
        """The track that a media segment belongs to; its init segment may still be on its way. Raises InitMissing."""
        try:
            async with asyncio.timeout(INIT_WITHIN_S):
                while track.feed.init is None:
                    # A sender that has one init segment may name it as it likes.
                    tracks = [other for other in self._tracks.values() if other.feed.init or other.beginning]
                    if len(tracks) == 1 and tracks[0].feed.init is not None:
                        return tracks[0]
                    self._init_came.clear()
                    await self._init_came.wait()
        except TimeoutError as error:
            raise InitMissing from error
        return track

    async def _take(self, track: _Track, number: int, body: AsyncIterator[bytes]) -> None:
        wanted: bool | None = None
        head = b""
        whole = False
        try:
            async for data in body:
                await self._wait_for_room()
                if wanted is None:
                    head += data
                    if not head:
                        continue
                    track, wanted = await self._begin(track, number, head)
                    data = head  # noqa: PLW2901
                if wanted:
                    track.order.feed(number, data)
            whole = True
        finally:
            self._broken = self._broken or not whole
            if wanted:
                track.order.end(number) if whole else track.order.drop(number)

    async def _begin(self, track: _Track, number: int, head: bytes) -> tuple[_Track, bool]:
        """The track that an object belongs to, and whether it is wanted."""
        if is_transport_stream(head):
            track.feed.begin_raw()
        else:
            track = await self._with_init(track)
        init_again, track.init_again = track.init_again, False
        if track.order.starts_anew(number, init_again=init_again) or track.newest_init != track.feed.init_bytes:
            raise StartedAnew(head)
        return track, track.order.begin(number)

    async def _take_unnumbered(self, track: _Track, body: AsyncIterator[bytes]) -> None:
        """An init segment, or a track without end that begins with one."""
        head = bytearray()
        begun = False
        self._open_endless += 1
        track.beginning = True
        try:
            async for data in body:
                await self._wait_for_room()
                if begun and data:
                    track.endless = True
                    track.feed.feed(data)
                    continue
                head += data
                if not begun and head and (size := _init_bytes(head)) is not None:
                    if track.endless:
                        raise StartedAnew(bytes(head))
                    begun = True
                    self._set_init(track, bytes(head[:size]))
                    if len(head) > size:
                        track.endless = True
                        track.feed.feed(bytes(head[size:]))
                elif not begun and len(head) > INIT_BYTES_MAX:
                    raise PushUnusable("An init segment that does not end: it has to hold ftyp and moov alone.")
        finally:
            self._open_endless -= 1
            track.beginning = False
            # A connection that broke ends a track as well: whoever goes on sends the init segment again.
            if track.endless and not self._open_endless:
                self.end()
        if head and not begun:
            raise PushUnusable("An object without a number has to begin with an init segment (ftyp and moov).")

    async def _read_playlist(self, body: AsyncIterator[bytes]) -> None:
        """It names what comes; of interest is only that nothing more does."""
        text = bytearray()
        async for data in body:
            text += data
            if len(text) > PLAYLIST_BYTES_MAX:
                raise PushUnusable(f"A playlist of more than {PLAYLIST_BYTES_MAX} bytes.")
        if any(word in text for word in OVER):
            self.end()


def _init_bytes(head: bytearray) -> int | None:
    """Where the init segment at the head ends; None when more is needed. Raises MediaError."""
    at = 0
    while (header := read_header(head, at, len(head))) is not None:
        kind, _, size = header
        if size > BOX_BYTES_MAX or (not at and kind not in FILE_TYPES) or kind in (b"moof", b"mdat"):
            raise MediaError("This does not begin with an init segment (ftyp and moov).")
        at += size
        if at > len(head):
            return None
        if kind == b"moov":
            return at
    return None
