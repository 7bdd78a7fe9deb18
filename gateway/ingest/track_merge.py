"""Pushed tracks as one stream for ffmpeg: MPEG-TS as it comes, tracks of CMAF merged into one fragmented MP4.

A push is taken to be complete when it has a picture and sound, or when so much of it has come that nothing else is
expected. Tracks that come later, and further pictures, are passed over.
"""

from collections.abc import Callable
from dataclasses import replace

from gateway.ingest.fragmented import FragmentFilter
from gateway.ingest.transport_stream import SYNC
from gateway.media.errors import NoVideo
from gateway.media.merging import merge_inits
from gateway.media.parts import InitSegment, Part, Prft
from gateway.media.rungs import as_track
from gateway.media.splitter import PartSplitter, write_prft
from gateway.media.tracks import read_init

TRACKS_MAX = 16
LOOK_S = 1.0
"""Media of one track, after which no further track is waited for."""
HEAD_BYTES_MAX = 8 << 20


class TrackFeed:
    """One pushed track, in order: its init segment first, which may come again."""

    def __init__(self, merge: "TrackMerge") -> None:
        self._merge = merge
        self._splitter = PartSplitter()
        self.init: InitSegment | None = None
        self._init_bytes = b""
        self._raw = False
        self._time: Prft | None = None
        self._filter = FragmentFilter()

    def begin_raw(self) -> None:
        """What comes needs no merging: it is MPEG-TS, or holds picture and sound already."""
        self._raw = True

    @property
    def init_bytes(self) -> bytes:
        """Empty before there are any."""
        return self._init_bytes

    def set_init(self, data: bytes) -> None:
        """Take the track's init segment. Raises MediaError."""
        self._init_bytes = data
        init = read_init(data)
        self._raw = len(init.tracks) > 1
        self._splitter = PartSplitter()
        self._splitter.feed(data)
        self.init = init
        self._merge.begin(self, data if self._raw else None)

    def feed(self, data: bytes) -> None:
        """Bytes of media segments. Raises MediaError."""
        if self._raw:
            self._merge.pass_on(self._filter.feed(data) if self._init_bytes else data)
            return
        for event in self._splitter.feed(data):
            match event:
                case Prft():
                    self._time = event
                case Part():
                    self._merge.add(self, event, self._time)
                    self._time = None

    def end_object(self) -> None:
        """An object is over: what it left unfinished belongs to nothing."""
        self._filter = FragmentFilter()
        if self._init_bytes and not self._raw:
            self._splitter = PartSplitter()
            self._splitter.feed(self._init_bytes)


class TrackMerge:
    """All tracks of one push; ``out`` takes the bytes for ffmpeg."""

    def __init__(self, out: Callable[[bytes], None]) -> None:
        self._out = out
        self._tracks: list[TrackFeed] = []
        self._numbers: dict[TrackFeed, int] = {}
        self._waiting: list[tuple[TrackFeed, Part, Prft | None]] = []
        self._waiting_bytes = 0

    def begin(self, feed: TrackFeed, whole: bytes | None) -> None:
        """A track has said what it is; one that comes too late is passed over."""
        if self._numbers:
            return
        if whole is not None:
            self._out(whole)
        elif feed not in self._tracks and len(self._tracks) < TRACKS_MAX:
            self._tracks.append(feed)

    def pass_on(self, data: bytes) -> None:
        self._out(data)

    def add(self, feed: TrackFeed, part: Part, time: Prft | None) -> None:
        """A part of a track, and the producer's time of it. Raises MediaError, NoVideo."""
        if self._numbers:
            self._write(feed, part, time)
            return
        self._waiting.append((feed, part, time))
        self._waiting_bytes += len(part.data)
        if self._complete(feed, part):
            self._start()

    def _complete(self, feed: TrackFeed, part: Part) -> bool:
        kinds = {track.init.lead.kind for track in self._tracks if track.init is not None}
        assert feed.init is not None
        first = next(earlier for other, earlier, _ in self._waiting if other is feed)
        seen_s = (part.decode_time + part.duration - first.decode_time) / feed.init.lead.timescale
        return kinds >= {"video", "audio"} or seen_s >= LOOK_S or self._waiting_bytes > HEAD_BYTES_MAX

    def _start(self) -> None:
        videos = [feed for feed in self._tracks if feed.init is not None and feed.init.lead.kind == "video"]
        sounds = [feed for feed in self._tracks if feed.init is not None and feed.init.lead.kind == "audio"]
        chosen = [*videos[:1], *sounds]
        if not chosen:
            raise NoVideo("There is neither picture nor sound in this push. Send one of them.")
        self._out(merge_inits([feed.init for feed in chosen if feed.init is not None]))
        self._numbers = {feed: number for number, feed in enumerate(chosen, 1)}
        waiting, self._waiting = self._waiting, []
        for feed, part, time in waiting:
            self._write(feed, part, time)

    def _write(self, feed: TrackFeed, part: Part, time: Prft | None) -> None:
        if (number := self._numbers.get(feed)) is not None:
            if time is not None:
                self._out(write_prft(replace(time, track=number)))
            self._out(bytes(as_track(part, number).data))


def is_transport_stream(head: bytes) -> bool:
    return head[:1] == bytes([SYNC])
