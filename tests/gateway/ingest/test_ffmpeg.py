"""Finding ffmpeg, running it, and being sure that it is gone afterwards."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ingest.errors import FfmpegMissing
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess, bundled_ffmpeg, find_ffmpeg
from tests.gateway.ingest.conftest import running_ffmpegs, wait_for_end_of

ENDLESS = ("-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=25", "-f", "rawvideo", "pipe:1")


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def none() -> None:
    return None


def test_the_systems_ffmpeg_is_preferred(tool: Ffmpeg) -> None:
    assert tool.libavformat >= (59, 27)


def test_without_one_in_the_path_that_of_the_package_is_taken() -> None:
    assert find_ffmpeg(search_path=os.devnull).path == bundled_ffmpeg()


def test_with_none_at_all_the_message_says_what_to_do() -> None:
    with pytest.raises(FfmpegMissing, match=r"Install ffmpeg 5\.1 or newer"):
        find_ffmpeg(search_path=os.devnull, bundled=none)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('echo "libavformat    58. 76.100"', "is older than 5.1"),
        ('echo "libavformat    60. 3.100"', "cannot encode with libx264 and aac"),
        ("exit 3", "does not run"),
    ],
)
def test_an_unfit_ffmpeg_is_passed_over_and_named(tmp_path: Path, text: str, why: str) -> None:
    path = script(tmp_path, "ffmpeg", text)
    with pytest.raises(FfmpegMissing, match=f"{path} {why}"):
        find_ffmpeg(search_path=str(tmp_path), bundled=none)
    assert find_ffmpeg(search_path=str(tmp_path)).path == bundled_ffmpeg()


def test_what_it_writes_is_read_and_its_exit_code_known(tool: Ffmpeg) -> None:
    async def run() -> tuple[bytes, int]:
        async with await FfmpegProcess.start(tool, ["-version"]) as process:
            text = b""
            while data := await process.read():
                text += data
            return text, await process.wait()

    text, code = asyncio.run(run())
    assert (b"libavformat" in text, code) == (True, 0)


def test_what_it_complains_of_is_kept(tool: Ffmpeg) -> None:
    async def run() -> tuple[tuple[str, ...], int]:
        async with await FfmpegProcess.start(tool, ["-hide_banner", "-i", "/nowhere/film.mp4"]) as process:
            code = await process.wait()
            return process.stderr, code

    lines, code = asyncio.run(run())
    assert any("No such file" in line for line in lines)
    assert code != 0


def test_what_it_complains_of_is_bounded(tmp_path: Path) -> None:
    noisy = script(tmp_path, "noisy", "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done")

    async def run() -> tuple[str, ...]:
        async with await FfmpegProcess.start(Ffmpeg(path=str(noisy), libavformat=(0, 0)), []) as process:
            await process.wait()
            return process.stderr

    lines = asyncio.run(run())
    assert len(lines) <= 60
    assert lines[-1] == "line 1999"


def test_leaving_the_block_ends_it(tool: Ffmpeg) -> None:
    async def run() -> None:
        async with await FfmpegProcess.start(tool, ENDLESS) as process:
            assert await process.read()
            assert running_ffmpegs() == {process.pid}

    asyncio.run(run())
    assert running_ffmpegs() == set()


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = script(tmp_path, "ffmpeg-deaf", "trap '' TERM\necho ready\nwhile :; do sleep 0.05; done")

    async def run() -> int:
        process = await FfmpegProcess.start(Ffmpeg(path=str(deaf), libavformat=(0, 0)), [])
        assert await process.read() == b"ready\n"
        await process.stop()
        return await process.wait()

    assert asyncio.run(run()) == -signal.SIGKILL


def test_cancelling_whoever_runs_it_ends_it(tool: Ffmpeg) -> None:
    async def run() -> None:
        started = asyncio.Event()

        async def work() -> None:
            async with await FfmpegProcess.start(tool, ENDLESS) as process:
                await process.read()
                started.set()
                await asyncio.sleep(3600)

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_writing_to_one_that_has_ended_says_so(tool: Ffmpeg) -> None:
    async def run() -> None:
        async with await FfmpegProcess.start(tool, ["-version"], feed=True) as process:
            while await process.read():
                pass
            await process.wait()
            for _ in range(100):
                await process.write(bytes(65536))

    with pytest.raises(BrokenPipeError):
        asyncio.run(run())


PARENT = """
import asyncio, sys
from gateway.ingest.ffmpeg import Ffmpeg, FfmpegProcess

async def main():
    tool = Ffmpeg(path=sys.argv[1], libavformat=(0, 0), guard=tuple(filter(None, sys.argv[2].split())))
    process = await FfmpegProcess.start(tool, sys.argv[3:])
    await asyncio.sleep(0.3)
    print(process.pid, flush=True)
    while await process.read():
        pass

asyncio.run(main())
"""


def kill_the_parent_of(tool: Ffmpeg, *arguments: str) -> bool:
    """Start an ffmpeg from another process, kill that one with SIGKILL; whether ffmpeg ends by itself."""
    command = [sys.executable, "-c", PARENT, tool.path, " ".join(tool.guard), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    gone = wait_for_end_of(pid, within_s=5.0)
    if not gone:
        os.kill(pid, signal.SIGKILL)
    return gone


def test_it_ends_when_our_end_of_its_output_is_gone(each_tool: Ffmpeg) -> None:
    assert kill_the_parent_of(replace(each_tool, guard=()), *ENDLESS)


def test_it_ends_with_us_even_while_its_input_is_silent(tool: Ffmpeg, tmp_path: Path) -> None:
    if not tool.guard:
        pytest.skip("this system has no setpriv")
    fifo = tmp_path / "silence"
    os.mkfifo(fifo)
    holder = os.open(fifo, os.O_RDWR)
    try:
        assert kill_the_parent_of(tool, "-v", "error", "-f", "mpegts", "-i", str(fifo), "-f", "null", "-")
    finally:
        os.close(holder)
