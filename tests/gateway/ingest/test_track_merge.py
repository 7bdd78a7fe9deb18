"""Tracks that are pushed apart become one stream, in which nothing of the chosen ones is missing."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.track_merge import TrackFeed, TrackMerge, is_transport_stream
from gateway.media.errors import MediaError
from gateway.media.parts import InitSegment, Part, Prft
from gateway.media.splitter import PartSplitter, write_prft
from gateway.media.tracks import track_init
from tests.gateway.media_fixture import Stream, split, stream


@dataclass
class Push:
    """A merge, what it gave out, and the two tracks of the test film each as a push of its own."""

    out: bytearray = field(default_factory=bytearray)
    film: Stream = field(default_factory=stream)

    def __post_init__(self) -> None:
        self.merge = TrackMerge(self.out.extend)

    def begin(self, kind: str) -> TrackFeed:
        feed = TrackFeed(self.merge)
        feed.set_init(track_init(self.film.init.data, self.number(kind)))
        return feed

    def number(self, kind: str) -> int:
        return next(track.track for track in self.film.init.tracks if track.kind == kind)

    def parts(self, kind: str) -> list[Part]:
        return self.film.of_track(self.number(kind))


def times(parts: list[Part]) -> list[tuple[int, int, bool]]:
    return [(part.decode_time, part.duration, part.key) for part in parts]


@pytest.mark.parametrize("order", [("video", "audio"), ("audio", "video")])
def test_picture_and_sound_are_joined_whichever_begins(order: tuple[str, str]) -> None:
    push = Push()
    feeds = {kind: push.begin(kind) for kind in order}
    for kind in order:
        for part in push.parts(kind):
            feeds[kind].feed(bytes(part.data))
    merged = split(bytes(push.out))
    assert [(track.track, track.kind) for track in merged.init.tracks] == [(1, "video"), (2, "audio")]
    assert times(merged.of_track(1)) == times(push.parts("video"))
    assert times(merged.of_track(2)) == times(push.parts("audio"))


def test_a_senders_times_of_day_go_along_under_the_new_numbers() -> None:
    push = Push()
    video, audio = push.begin("video"), push.begin("audio")
    first, second = push.parts("video")[:2]
    time = Prft(track=push.number("video"), wallclock_us=1_800_000_000_000_000, media_time=first.decode_time)
    video.feed(write_prft(time) + bytes(first.data) + bytes(second.data))
    audio.feed(bytes(push.parts("audio")[0].data))
    events = PartSplitter().feed(bytes(push.out))
    kinds = [type(event) for event in events]
    assert kinds == [InitSegment, Prft, Part, Part, Part]
    assert events[1] == replace(time, track=1)


@given(st.integers(1, 5000))
def test_it_does_not_matter_how_the_bytes_are_cut(size: int) -> None:
    push = Push()
    video, audio = push.begin("video"), push.begin("audio")
    for feed, kind in ((video, "video"), (audio, "audio")):
        data = b"".join(bytes(part.data) for part in push.parts(kind)[:3])
        for at in range(0, len(data), size):
            feed.feed(data[at : at + size])
    merged = split(bytes(push.out))
    assert [len(merged.of_track(track)) for track in (1, 2)] == [3, 3]


def test_sound_is_waited_for_one_second_of_picture() -> None:
    push = Push()
    video = push.begin("video")
    given_out = []
    for part in push.parts("video"):
        video.feed(bytes(part.data))
        given_out.append(bool(push.out))
    timescale = push.film.init.lead.timescale
    seen = [part.decode_time + part.duration - push.parts("video")[0].decode_time for part in push.parts("video")]
    assert given_out == [units >= timescale for units in seen]
    assert times(split(bytes(push.out)).of_track(1)) == times(push.parts("video"))


def test_a_track_that_comes_after_the_start_is_passed_over() -> None:
    push = Push()
    video = push.begin("video")
    for part in push.parts("video"):
        video.feed(bytes(part.data))
    before = bytes(push.out)
    audio = push.begin("audio")
    audio.feed(bytes(push.parts("audio")[0].data))
    assert bytes(push.out) == before


def test_sound_alone_is_passed_on() -> None:
    push = Push()
    audio = push.begin("audio")
    sound = b"".join(bytes(part.data) for part in push.parts("audio"))
    audio.feed(sound)
    (track,) = split(bytes(push.out)).init.tracks
    assert (track.kind, track.track) == ("audio", 1)


def test_an_object_that_broke_off_leaves_nothing_behind() -> None:
    push = Push()
    video, audio = push.begin("video"), push.begin("audio")
    first, second = (bytes(part.data) for part in push.parts("video")[:2])
    audio.feed(bytes(push.parts("audio")[0].data))
    video.feed(first[: len(first) // 2])
    video.end_object()
    video.feed(second)
    assert times(split(bytes(push.out)).of_track(1)) == times(push.parts("video")[1:2])


def test_a_track_with_picture_and_sound_goes_through_as_it_is() -> None:
    push = Push()
    feed = TrackFeed(push.merge)
    feed.set_init(push.film.init.data)
    data = b"".join(bytes(part.data) for part in push.film.parts)
    feed.feed(data)
    assert bytes(push.out) == push.film.init.data + data


def test_transport_streams_go_through_as_they_are() -> None:
    push = Push()
    feed = TrackFeed(push.merge)
    feed.begin_raw()
    feed.feed(b"\x47abc")
    assert bytes(push.out) == b"\x47abc"
    assert is_transport_stream(b"\x47")
    assert not is_transport_stream(b"")
    assert not is_transport_stream(push.film.init.data)


def test_a_damaged_init_segment_is_refused() -> None:
    feed = TrackFeed(Push().merge)
    with pytest.raises(MediaError):
        feed.set_init(stream().init.data[:40])
