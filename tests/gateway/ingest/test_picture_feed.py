"""The thread that writes the test picture, without ffmpeg: pipes with a reader here."""

import asyncio
import itertools
import os
import time

import numpy as np

from gateway.ingest.clock_code import read_clock
from gateway.ingest.picture_feed import PictureFeed, write_all
from gateway.ingest.test_picture import SAMPLE_RATE, TestPicture

FRAME_BYTES = 160 * 90 * 3 // 2


def read_exactly(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := os.read(pipe, size - len(data))):
        data += more
    return data


def test_frames_come_when_their_clock_says_and_sound_a_little_ahead() -> None:
    async def run() -> tuple[list[np.ndarray], list[float], bytes]:
        video, video_in = os.pipe()
        audio, audio_in = os.pipe()
        picture = TestPicture(width=320, height=180)
        feed = PictureFeed(picture, fps=25, video=video_in, audio=audio_in)
        feed.start()
        frames, moments = [], []
        for _ in range(10):
            data = await asyncio.to_thread(read_exactly, video, 320 * 180 * 3 // 2)
            moments.append(time.time())
            frames.append(np.frombuffer(data, dtype=np.uint8)[: 320 * 180].reshape(180, 320))
        sound = os.read(audio, 1 << 20)
        os.close(video)
        os.close(audio)
        await feed.end()
        return frames, moments, sound

    frames, moments, sound = asyncio.run(run())
    read = [read_clock(frame) for frame in frames]
    assert None not in read
    times = [time for time in read if time is not None]
    assert [after - before for before, after in itertools.pairwise(times)] == [40] * 9
    assert all(moment * 1000 >= time for moment, time in zip(moments, times, strict=True))
    assert len(sound) // 2 >= SAMPLE_RATE * (9 * 0.04 + 0.2) - 1


def test_it_ends_while_it_waits_and_closes_its_pipes() -> None:
    async def run() -> None:
        video, video_in = os.pipe()
        audio, audio_in = os.pipe()
        feed = PictureFeed(TestPicture(width=160, height=90), fps=1, video=video_in, audio=audio_in)
        feed.start()
        await asyncio.to_thread(read_exactly, video, FRAME_BYTES)
        await feed.end()
        assert os.read(video, 1) == b""
        os.close(video)
        os.close(audio)

    asyncio.run(run())


def test_one_that_never_started_closes_its_pipes_too() -> None:
    async def run() -> None:
        video, video_in = os.pipe()
        audio, audio_in = os.pipe()
        await PictureFeed(TestPicture(width=160, height=90), fps=25, video=video_in, audio=audio_in).end()
        assert os.read(video, 1) == os.read(audio, 1) == b""
        os.close(video)
        os.close(audio)

    asyncio.run(run())


def test_everything_is_written_even_through_a_narrow_pipe() -> None:
    async def run() -> bytes:
        out, into = os.pipe()
        data = bytes(range(256)) * 2000
        reading = asyncio.create_task(asyncio.to_thread(read_exactly, out, len(data)))
        await asyncio.to_thread(write_all, into, data)
        received = await reading
        os.close(into)
        os.close(out)
        assert received == data
        return received

    assert asyncio.run(run())
