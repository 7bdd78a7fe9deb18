"""The live window: where the swarm's pieces and the players' requests meet.

The swarm's side only calls `set_description`, `add_piece`, `lose_piece`, `end` and `close`, which never wait. The
players' side reads playlists and bytes, and waits for what is to come. A playlist is rendered at most once for each
change of the window, and all who ask get the same bytes. Used from one event loop only.
"""

import gzip
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.live.jitter import Jitter
from gateway.live.joined import Joined
from gateway.live.order import EPOCH_BITS, Piece, PieceOrder, edition
from gateway.live.periods import Periods
from gateway.live.presentation import present
from gateway.live.segments import Segment, make_slot
from gateway.live.timeline import SLOTS_MAX, EpochMedia, Timeline
from gateway.live.waiting import Waiters
from gateway.media.dash import render_mpd
from gateway.media.description import MediaDescription
from gateway.media.errors import MediaError
from gateway.media.fragments import read_fragment
from gateway.media.hls import (
    HOLD_BACK_PARTS,
    Rhythm,
    SegmentLine,
    plan_rhythm,
    render_low_latency,
    render_plain,
)
from gateway.media.multivariant import Bandwidth, render_muxed_index, render_tracks_index
from gateway.media.parts import Buffer, InitSegment, TrackInfo
from gateway.media.payload import PieceSlice
from gateway.media.tracks import main_init, read_init, track_init

WINDOW_S = 24.0
EPOCHS_MAX = 8
"""Descriptions kept; one for each restart of the encoder that the window may still show, and what is to come."""
PLAIN_SEGMENTS = 6
"""Segments of the ordinary playlist: some players start at its beginning, others three segments from its end."""
PLAIN_SEGMENTS_MIN = 3
CAPTURE_US_MAX = 253_402_300_799_000_000
"""The end of the year 9999, the last that a playlist's date can say."""
COMING_SEGMENTS = 2
"""Segments after the newest that may be asked for already: a player's clock or its grid may be ahead by one."""
COMPRESSED_MAX = 64
"""Renderings kept in compressed form until the next change."""
OPENING_PART_EXCESS = 1.5
"""How far the first piece's parts may move PART-TARGET: a broken one must not set it for good."""


class LiveWindow:
    """The last ``window_s`` seconds of a stream, as playlists, segments and parts. ``clock`` gives seconds.

    ``keep`` is handed each segment once it is whole; ``before`` was the last one that it was handed for this stream.
    """

    def __init__(
        self,
        window_s: float = WINDOW_S,
        *,
        clock: Callable[[], float] = time.monotonic,
        keep: Callable[[Segment], None] | None = None,
        before: SegmentLine | None = None,
    ) -> None:
        self._clock = clock
        self._keep = keep
        self._order = PieceOrder()
        self._timeline = Timeline(window_s, before)
        self._periods = Periods()
        self._published_us = 0
        self._waiters = Waiters()
        self._descriptions: dict[int, tuple[MediaDescription, InitSegment]] = {}
        self._epochs: dict[int, EpochMedia] = {}
        self._rhythm: Rhythm | None = None
        self._jitter: Jitter | None = None
        self._wished_s = 0.0
        self._measured: int | None = None
        self._rendered: dict[str, bytes] = {}
        self._compressed: dict[bytes, bytes] = {}
        self._joined = Joined()
        self._ended = False
        self._closed = False
        self.last_taken: Piece | None = None
        """The last piece that was put into its place."""

    # The swarm's side

    def set_description(self, epoch: int, description: MediaDescription, rendition: int = 0) -> None:
        """What pieces of this epoch of a rendition are made of. Raises MediaError.

        The first one given for an epoch counts, but for a longer segment: a copied film shows only later how far its
        key frames are apart.
        """
        number = edition(epoch, rendition)
        if number in self._descriptions:
            self._lengthen(number, description.segment_target_s)
            return
        self._descriptions[number] = (description, read_init(description.init))
        self._ended = False
        epochs = self._described()
        if len(epochs) > EPOCHS_MAX:
            oldest = [number for number in self._descriptions if _epoch(number) == min(epochs)]
            for number in oldest:
                del self._descriptions[number]
                self._epochs.pop(number, None)
        self._release()

    def add_piece(self, number: int, epoch: int, capture_us: int, duration_us: int, content: PieceSlice) -> None:
        """Take in a piece, in whatever order it comes. Raises MediaError when it is damaged, and keeps nothing."""
        piece = Piece(number=number, epoch=epoch, capture_us=capture_us, duration_us=duration_us, content=content)
        check(piece)
        self.add(piece)

    def add(self, piece: Piece) -> None:
        """Take in a piece that has been checked."""
        if not self._ended and self._order.add(piece):
            self._release()

    def forget_from(self, place: tuple[int, int]) -> None:
        """From this epoch and segment on pieces of another rendition come: drop what is held back of this one."""
        self._order.forget_from(place)

    def lose_piece(self, number: int) -> None:
        """This piece will never come: those behind it need not wait."""
        self._order.lose(number)
        self._release()

    def end(self) -> None:
        """The broadcast is over, until an epoch begins anew."""
        self._ended = True
        self._timeline.finish()
        self._hand_over()
        self._periods.end()
        self._forget()
        self._waiters.give_up()

    def close(self) -> None:
        """Nobody will feed this window any more: let all who wait go."""
        self._closed = True
        self._waiters.give_up()

    # The players' side

    @property
    def is_open(self) -> bool:
        """Whether there is a part to play."""
        return self._timeline.last is not None

    @property
    def is_ended(self) -> bool:
        """Whether the broadcast is over."""
        return self._ended

    @property
    def rhythm(self) -> Rhythm:
        """What the playlists promise. Only once the window is open."""
        assert self._rhythm is not None
        return self._rhythm

    @property
    def hold_back_s(self) -> float:
        """How far behind the newest part players should stay: what the standard and the broadcaster ask for, or more
        where media arrives unevenly. Only once the window is open."""
        assert self._jitter is not None
        return max(self._jitter.hold_back_s, self._wished_s)

    @property
    def tracks(self) -> tuple[TrackInfo, ...]:
        """The tracks of the newest segment; none before the window is open."""
        last = self._timeline.last
        return last.init.tracks if last else ()

    @property
    def hint(self) -> tuple[int, int]:
        """The segment and part that the playlists announce as the next. Only once the window is open."""
        return self._timeline.hint()

    @property
    def bandwidth(self) -> Bandwidth:
        """What its media takes. Only once the window is open."""
        return self._timeline.bandwidth()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._ended or self._closed

    def kept(self) -> Sequence[Segment]:
        """All segments that are still here, the oldest first, the last of which grows."""
        return self._timeline.kept()

    def find(self, msn: int) -> Segment | None:
        """A segment that is kept, whole or growing."""
        return self._timeline.get(msn)

    def has(self, msn: int, part: int | None) -> bool:
        """Whether the part or a later one is here; without ``part``: whether the segment is whole."""
        return self._timeline.newest >= _place(msn, part)

    def is_beyond(self, msn: int, part: int | None) -> bool:
        """Whether that is too far in the future to be waited for: rfc8216bis section 6.2.5.2."""
        if self._ended:
            return False
        newest_msn, newest_part = self._timeline.newest
        # The newest segment is still growing: the last one with a line of its own is that before.
        if msn > newest_msn + 1:
            return True
        return msn == newest_msn and part is not None and part > newest_part + self.rhythm.advance_parts

    async def wait_for(self, msn: int, part: int | None, timeout_s: float) -> bool:
        """Wait until ``has(msn, part)``. False after ``timeout_s``, or when nothing more will come."""
        if self.has(msn, part) or self._ended or self._closed:
            return self.has(msn, part)
        return await self._waiters.wait(_place(msn, part), timeout_s)

    async def wait_open(self, timeout_s: float) -> bool:
        """Wait for the first part."""
        return await self.wait_for(0, 0, timeout_s)

    async def wait_whole(self, timeout_s: float) -> None:
        """Wait for the first whole segment, at most so long; at once when there is one."""
        listed = self._timeline.listed()
        if listed and not listed[0].complete:
            await self.wait_for(listed[0].msn, None, timeout_s)

    async def wait_plain(self, timeout_s: float) -> bool:
        """Wait until there are enough whole segments for ordinary players; True when there is one at least."""
        first = self._timeline.listed()[0].msn
        await self.wait_for(first + PLAIN_SEGMENTS_MIN - 1, None, timeout_s)
        return bool(self._whole())

    def playlist(self, track: int | None, *, skip: bool = False, hold_back_s: float | None = None) -> bytes:
        """The low-latency media playlist of a track, or of all in one; with ``skip`` as a delta update, and for players
        who stay ``hold_back_s`` behind. Only once the window is open."""
        return self._remember(
            f"low latency {track} {skip} {hold_back_s}",
            lambda: render_low_latency(
                [segment.line(track) for segment in self._timeline.listed()],
                rhythm=self.rhythm,
                track=track,
                hint=self.hint,
                ended=self._ended,
                skip=skip,
                hold_back_s=self._wished_s,
                asked_s=hold_back_s,
                siblings=() if track is None else [info.track for info in self.tracks if info.track != track],
                text=any(info.track == track and info.kind == "text" for info in self.tracks),
            ),
        )

    def manifest(self, latency_s: float) -> bytes:
        """The MPD, for players that are to be ``latency_s`` behind; empty while there is nothing to show in it. Only
        once the window is open."""
        return self._remember(f"manifest {latency_s}", lambda: self._render_manifest(latency_s))

    def compressed(self, rendering: bytes) -> bytes:
        """A rendering by gzip: once for each change of the window, however many ask."""
        known = self._compressed.get(rendering)
        if known is None:
            if len(self._compressed) >= COMPRESSED_MAX:
                self._compressed.clear()
            known = self._compressed[rendering] = gzip.compress(rendering, 6, mtime=0)
        return known

    def plain_playlist(self) -> bytes:
        """The ordinary media playlist. Only when there is a whole segment."""
        return self._remember(
            "plain",
            lambda: render_plain(
                [segment.line(None) for segment in self._whole()[-PLAIN_SEGMENTS:]],
                target_duration_s=self.rhythm.target_duration_s,
                ended=self._ended,
            ),
        )

    def whole_lines(self) -> list[SegmentLine]:
        """The whole segments that are listed, as lines of the playlist of all tracks."""
        return [segment.line(None) for segment in self._whole()]

    def index(self) -> bytes:
        """The multivariant playlist of the muxed variant. Only once the window is open."""
        best = self._best()
        return render_muxed_index(
            [info for info in best.tracks if info in best.main or info.kind == "text"],
            bandwidth=self.bandwidth,
            frame_rate=self._frame_rate(),
            hold_back_s=self._extra_hold_back_s(),
        ).encode()

    def tracks_index(self) -> bytes:
        """The multivariant playlist with separate audio. Only once the window is open."""
        return render_tracks_index(
            self._best().tracks,
            bandwidth=self.bandwidth,
            frame_rate=self._frame_rate(),
            hold_back_s=self._extra_hold_back_s(),
        ).encode()

    def init(self, epoch: int, track: int | None) -> bytes | None:
        """An epoch's init segment, of one track or of all; None when there is none."""
        known = self._descriptions.get(epoch)
        if known is None or track is None:
            return main_init(known[1]) if known else None
        return track_init(known[1].data, track) if known[1].track(track) else None

    def segment(self, msn: int, track: int | None) -> Sequence[Buffer]:
        """A whole segment's bytes; empty when it is not here."""
        segment = self._timeline.get(msn)
        if segment is None or not segment.complete:
            return ()
        return self._joined.get((msn, None, track), segment.buffers(track))

    def find_at(self, discontinuity: int, track: int, time: int) -> Segment | None:
        """The segment whose media of this track starts at ``time``, in the track's timescale."""
        return next(
            (
                segment
                for segment in reversed(self._timeline.kept())
                if segment.discontinuity == discontinuity
                and (span := segment.span(track)) is not None
                and max(span[0], 0) == time
            ),
            None,
        )

    def is_coming(self, msn: int) -> bool:
        """Whether a segment is about to begin."""
        newest_msn, _ = self._timeline.newest
        return not self._ended and self.is_open and newest_msn < msn <= newest_msn + COMING_SEGMENTS

    def part(self, msn: int, index: int, track: int | None) -> Sequence[Buffer]:
        """A part's bytes; empty when it is not here."""
        segment = self._timeline.get(msn)
        if segment is None or not 0 <= index < len(segment.slots):
            return ()
        return self._joined.get((msn, index, track), segment.slots[index].buffers(track))

    def _release(self) -> None:
        """Let in what is in order now."""
        changed, now_s = False, self._clock()
        for arrival in self._order.take(self._described(), now_s):
            media = self._media(arrival.piece)
            if media is not None and self._timeline.append(arrival, media):
                self.last_taken = arrival.piece
                changed = True
                self._watch_arrival(now_s)
        if changed:
            self._hand_over()
            self._periods.follow(self._timeline.kept())
            self._forget()
            self._waiters.reach(self._timeline.newest)

    def _watch_arrival(self, now_s: float) -> None:
        """Measure how evenly media comes; each discontinuity begins a time of its own."""
        last = self._timeline.last
        assert last is not None
        if self._jitter is None or self._jitter.part_target_s != self.rhythm.part_target_s:
            self._jitter = Jitter(self.rhythm.part_target_s)
        if last.discontinuity != self._measured:
            self._measured = last.discontinuity
            self._wished_s = self._descriptions[last.epoch][0].hold_back_s
            self._jitter.cut()
        self._jitter.arrived(now_s, self._timeline.end_s)

    def _extra_hold_back_s(self) -> float | None:
        """How far behind who begins now should stay, where that is more than every playlist says."""
        least_s = max(HOLD_BACK_PARTS * self.rhythm.part_target_s, self._wished_s)
        return self.hold_back_s if self.hold_back_s > least_s else None

    def _hand_over(self) -> None:
        whole = self._timeline.take_whole()
        if self._keep is not None:
            for segment in whole:
                self._keep(segment)

    def _lengthen(self, epoch: int, segment_target_s: float) -> None:
        """Promise longer segments than before; never shorter ones."""
        description, init = self._descriptions[epoch]
        if segment_target_s <= description.segment_target_s:
            return
        description = replace(description, segment_target_s=segment_target_s)
        self._descriptions[epoch] = (description, init)
        media = self._epochs.get(epoch)
        if media is None or self._rhythm is None:
            return
        plan = plan_rhythm(description.part_target_s, segment_target_s, 0.0)
        target_s = max(plan.target_duration_s, self._rhythm.target_duration_s)
        self._rhythm = replace(self._rhythm, target_duration_s=target_s)
        self._epochs[epoch] = replace(media, rhythm=self._rhythm, slots_usual=_slots_usual(description))
        self._forget()

    def _described(self) -> set[int]:
        """The epochs whose pieces can be taken in."""
        return {_epoch(number) for number in self._descriptions}

    def _media(self, piece: Piece) -> EpochMedia | None:
        """None for a rendition whose description could not be used."""
        known = self._epochs.get(piece.edition)
        if known is not None or piece.edition not in self._descriptions:
            return known
        description, init = self._descriptions[piece.edition]
        self._rhythm = _plan(description, init, piece, self._rhythm)
        media = EpochMedia(
            epoch=piece.edition,
            init=init,
            rhythm=self._rhythm,
            slots_usual=_slots_usual(description),
        )
        self._epochs[piece.edition] = media
        return media

    def _whole(self) -> list[Segment]:
        return [segment for segment in self._timeline.listed() if segment.complete]

    def _best(self) -> InitSegment:
        """The init segment with the largest picture that may come: players choose their decoder once."""
        last = self._timeline.last
        assert last is not None
        inits = [init for number, (_, init) in self._descriptions.items() if _epoch(number) == _epoch(last.epoch)]
        return max((last.init, *inits), key=lambda init: init.lead.width * init.lead.height)

    def _frame_rate(self) -> float:
        """Frames a second of the newest part that has a picture; 0 without one."""
        last = self._timeline.last
        assert last is not None
        lead = last.init.lead
        slot = next((slot for slot in reversed(last.slots) if slot.tracks), None)
        if lead.kind != "video" or slot is None or not slot.duration_s:
            return 0.0
        frames = sum(read_fragment(part.data).samples for part in slot.tracks[lead.track])
        return frames / slot.duration_s

    def _render_manifest(self, latency_s: float) -> str:
        last = self._timeline.last
        assert last is not None
        # Each rendering has a time of its own, by which players tell a newer one: that of its newest media.
        newest_us = last.capture_us + round(last.duration_s * 1_000_000)
        self._published_us = max(self._published_us + 1000, newest_us)
        presentation = present(
            self._periods,
            self._timeline.listed(),
            rhythm=self.rhythm,
            window_s=self._timeline.length_s,
            published_us=self._published_us,
            latency_s=latency_s,
            ended=self._ended,
        )
        return "" if presentation is None else render_mpd(presentation)

    def _forget(self) -> None:
        """The window has changed: all is to be rendered anew."""
        self._rendered.clear()
        self._compressed.clear()

    def _remember(self, name: str, render: Callable[[], str]) -> bytes:
        known = self._rendered.get(name)
        if known is None:
            known = self._rendered[name] = render().encode()
        return known


def check(piece: Piece) -> None:
    """Raises MediaError for what no player could be given."""
    if not 0 <= piece.capture_us <= CAPTURE_US_MAX or piece.content.index >= SLOTS_MAX:
        raise MediaError("A piece from an impossible time or place.")
    for part in piece.content.parts:
        if read_fragment(part.data).track != part.track:
            raise MediaError("A piece whose table names another track than its part.")


def _epoch(number: int) -> int:
    """The epoch of an edition."""
    return number & (1 << EPOCH_BITS) - 1


def _place(msn: int, part: int | None) -> tuple[int, int]:
    """A segment is whole when the first part of the next one is here."""
    return (msn + 1, 0) if part is None else (msn, part)


def _slots_usual(description: MediaDescription) -> int:
    return max(1, round(description.segment_target_s / description.part_target_s))


def _plan(description: MediaDescription, init: InitSegment, piece: Piece, before: Rhythm | None) -> Rhythm:
    """The playlists' promise; a later epoch may only raise it, at its discontinuity."""
    slot = make_slot(piece.content.parts, init)
    longest_s = max(slot.durations_s.values()) if slot else 0.0
    longest_s = min(longest_s, OPENING_PART_EXCESS * description.part_target_s)
    plan = plan_rhythm(description.part_target_s, description.segment_target_s, longest_s)
    if before is None:
        return plan
    return Rhythm(
        target_duration_s=max(plan.target_duration_s, before.target_duration_s),
        part_target_s=max(plan.part_target_s, before.part_target_s),
    )
