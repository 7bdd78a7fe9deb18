"""One picture in several sizes: the same frames in all, cut at the same places, with the same sound."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.push import run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding, FileSource, Source, TestSource
from gateway.ladder import AUDIO, HEIGHT_MAX, HEIGHT_MIN, RUNGS_MAX, has_audio_rung, read_ladder, usual_bps
from gateway.media.payload import unpack
from gateway.media.tracks import read_init
from tests.gateway.ingest.streams import Listener, cast_of, clocks, numbering

LADDER = Encoding(audio_bps=64_000, ladder=read_ladder(["360p", "180p"]), preset="ultrafast")
SIZES = ((320, 180), (640, 360))
PICTURE = TestSource(width=640, height=360, title="ladder")


def play(tool: Ffmpeg, source: Source, count: int, encoding: Encoding = LADDER) -> Listener:
    """The first pieces of a ladder."""

    async def run() -> Listener:
        listener = Listener()
        cast = cast_of(tool, source, listener, encoding)
        running = asyncio.create_task(cast.run())
        await listener.until_pieces(count)
        await cast.stop()
        await running
        return listener

    return asyncio.run(run())


def test_all_renditions_have_the_same_frames_cut_at_the_same_places(each_tool: Ffmpeg) -> None:
    listener = play(each_tool, PICTURE, 11)
    (renditions,) = listener.renditions
    assert [rendition.name for rendition in renditions] == ["180p", "360p"]
    assert [read_init(r.media.init).lead.width for r in renditions] == [width for width, _ in SIZES]
    seen = [clocks(each_tool, listener.film(place), *size) for place, size in enumerate(SIZES)]
    assert seen[0] == seen[1]
    assert None not in seen[0]
    for piece in listener.pieces:
        low, high = (unpack(payload) for payload in piece.payloads)
        assert (low.segment, low.index) == (high.segment, high.index)
        assert [(p.track, p.key, p.decode_time, p.duration) for p in low.parts] == [
            (p.track, p.key, p.decode_time, p.duration) for p in high.parts
        ]
        assert [bytes(p.data) for p in low.parts[1:]] == [bytes(p.data) for p in high.parts[1:]]
        assert low.parts[0].key == piece.key


def test_the_sound_alone_is_a_rendition_of_the_same_cuts(each_tool: Ffmpeg) -> None:
    listener = play(each_tool, PICTURE, 11, replace(LADDER, audio_rung=True))
    (renditions,) = listener.renditions
    assert [rendition.name for rendition in renditions] == ["180p", "360p", AUDIO]
    low, _, alone = (read_init(rendition.media.init) for rendition in renditions)
    assert [track.kind for track in alone.tracks] == ["audio"]
    assert alone.lead in low.tracks
    for piece in listener.pieces:
        with_picture, _, sound = (unpack(payload) for payload in piece.payloads)
        assert (sound.segment, sound.index) == (with_picture.segment, with_picture.index)
        assert [bytes(part.data) for part in sound.parts] == [bytes(part.data) for part in with_picture.parts[1:]]
    assert sum(len(unpack(piece.payloads[2]).parts) for piece in listener.pieces) > 9


def test_a_film_is_encoded_for_each_rung_and_not_blown_up(tool: Ffmpeg, films: Path) -> None:
    listener = play(tool, FileSource(path=films / "film.mp4"), 6)
    leads = [read_init(rendition.media.init).lead for rendition in listener.renditions[0]]
    assert [lead.height for lead in leads] == [180, 180]
    assert len({lead.track for lead in leads}) == 1


def test_a_push_is_encoded_for_each_rung_with_the_same_key_frames(tool: Ffmpeg, films: Path) -> None:
    data = (films / "film.mpeg2.ts").read_bytes()

    async def body() -> AsyncIterator[bytes]:
        yield data

    async def run() -> Listener:
        listener = Listener()
        push = PushBody(body(), idle_s=10)
        await run_push(push, ffmpeg=tool, encoding=LADDER, numbering=numbering(), sink=listener)
        return listener

    listener = asyncio.run(run())
    assert [len(piece.payloads) for piece in listener.pieces] == [2] * len(listener.pieces)
    assert sum(piece.key for piece in listener.pieces) == 3
    for low, high in ([unpack(payload) for payload in piece.payloads] for piece in listener.pieces):
        assert [(p.key, p.decode_time) for p in low.parts] == [(p.key, p.decode_time) for p in high.parts]


def test_a_ladder_is_read_in_any_order() -> None:
    assert [rung.name for rung in read_ladder(["1080p", " 480p", "720p", "480p"])] == ["480p", "720p", "1080p"]
    assert read_ladder([]) == ()
    assert [rung.name for rung in read_ladder([" audio", "360p"])] == ["360p"]
    assert has_audio_rung(["360p", "audio "])
    assert not has_audio_rung(["360p"])
    assert read_ladder(["720p"])[0].width == 1280


@pytest.mark.parametrize("word", ["", "720", "p", "0p", "721p", "99999p", "high", "-720p", "720p,360p"])
def test_what_is_no_rung_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="is an even height"):
        read_ladder([word])


def test_sound_alone_is_no_ladder() -> None:
    with pytest.raises(ValueError, match="name a size beside it"):
        read_ladder(["audio"])


def test_a_ladder_has_an_end() -> None:
    with pytest.raises(ValueError, match=f"at most {RUNGS_MAX} rungs"):
        read_ladder([f"{height}p" for height in range(100, 100 + 2 * (RUNGS_MAX + 1), 2)])


@given(st.integers(HEIGHT_MIN, HEIGHT_MAX), st.integers(HEIGHT_MIN, HEIGHT_MAX))
def test_more_lines_take_more_bits(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert 0 < usual_bps(low) <= usual_bps(high)
