"""All languages of an input go on air, each under its name, in every rendition."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.ingest.broadcast import Broadcast
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.push import run_push
from gateway.ingest.push_body import PushBody
from gateway.ingest.sources import Encoding, FileSource
from gateway.ladder import read_ladder
from gateway.live import LiveWindow
from gateway.live.order import Piece
from gateway.media.payload import unpack
from gateway.media.tracks import read_init
from tests.gateway.ingest.streams import Listener, numbering

TWO_RUNGS = Encoding(ladder=read_ladder(["120p", "180p"]), preset="ultrafast")


def play_file(tool: Ffmpeg, path: Path, encoding: Encoding) -> Listener:
    async def run() -> Listener:
        listener = Listener()
        cast = Broadcast(
            FileSource(path=path),
            ffmpeg=tool,
            encoding=encoding,
            numbering=numbering(),
            on_description=listener.description,
            on_piece=listener.piece,
        )
        await cast.run()
        return listener

    return asyncio.run(run())


def push_file(tool: Ffmpeg, path: Path) -> Listener:
    data = path.read_bytes()

    async def run() -> Listener:
        listener = Listener()

        async def body() -> AsyncIterator[bytes]:
            yield data

        await run_push(
            PushBody(body(), idle_s=10), ffmpeg=tool, encoding=Encoding(), numbering=numbering(), sink=listener
        )
        return listener

    return asyncio.run(run())


@pytest.mark.parametrize("encoding", [Encoding(), TWO_RUNGS])
def test_a_films_languages_are_in_every_piece_of_every_rendition(tool: Ffmpeg, films: Path, encoding: Encoding) -> None:
    listener = play_file(tool, films / "languages.mp4", encoding)
    (renditions,) = listener.renditions
    assert len(renditions) == max(len(encoding.ladder), 1)
    for place, rendition in enumerate(renditions):
        init = read_init(rendition.media.init)
        sounds = [info for info in init.tracks if info.kind == "audio"]
        assert [(info.language, info.codec) for info in sounds] == [("deu", "mp4a.40.2"), ("eng", "ac-3")]
        for piece in listener.pieces[:-1]:
            assert {part.track for part in unpack(piece.payloads[place]).parts} == {t.track for t in init.tracks}


def test_a_pushed_streams_languages_are_carried_through(tool: Ffmpeg, films: Path) -> None:
    listener = push_file(tool, films / "languages.ts")
    assert [info.language for info in listener.init.tracks if info.kind == "audio"] == ["deu", "eng"]


def test_players_of_one_stream_get_the_first_language_and_others_the_choice(tool: Ffmpeg, films: Path) -> None:
    listener = play_file(tool, films / "languages.mp4", Encoding())
    window = LiveWindow(30)
    window.set_description(*listener.descriptions[0])
    for piece in listener.pieces:
        window.add(
            Piece(
                number=piece.number,
                epoch=piece.epoch,
                capture_us=piece.capture_us,
                duration_us=piece.duration_us,
                content=unpack(piece.payloads[0]),
            )
        )
    epoch = listener.descriptions[0][0]
    muxed = window.init(epoch, None)
    assert muxed is not None
    assert [(info.kind, info.language) for info in read_init(muxed).tracks] == [("audio", "deu"), ("video", "und")]
    text = window.tracks_index().decode()
    assert 'LANGUAGE="deu",DEFAULT=YES' in text
    assert 'LANGUAGE="eng",DEFAULT=NO' in text
    assert text.count("#EXT-X-STREAM-INF") == 1
    assert len(window.tracks) == 3
    msn = window.kept()[0].msn
    assert b"".join(bytes(b) for b in window.segment(msn, None)).count(b"traf") == 2 * window_slots(window, msn)


def window_slots(window: LiveWindow, msn: int) -> int:
    """How many parts the segment has."""
    segment = window.find(msn)
    assert segment is not None
    return len(segment.slots)
