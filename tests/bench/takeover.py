"""How soon a waiting push takes over: ``python -m tests.bench.takeover [NAME ...]``; the last line is one JSON object.

Two pushers send with one key, the first is killed (SIGKILL). ``takeover_s`` counts from there to the first new
piece. Whole segments (HLS) come once a second, so that their absence can only be
seen when the next one is overdue: these rows are as long as their segments and half as long again.
"""

import asyncio
import json
import logging
import sys
import time
from dataclasses import asdict, dataclass

from gateway.ingest.ffmpeg import Ffmpeg, bundled_ffmpeg, find_ffmpeg
from tests.bench.ingest import PUSHES, SOURCE
from tests.bench.ingest_site import open_site

WARM_S = 4.0
WAIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One protocol; ``takeover_s`` is None when nobody took over."""

    push: str
    takeover_s: float | None


async def start(tool: Ffmpeg, push: str, addresses: dict[str, str], name: str) -> asyncio.subprocess.Process:
    named = addresses | {"http": f"{addresses['http']}+{name}"}
    arguments = [word.format(**named) for word in f"{SOURCE} {PUSHES[push]}".split()]
    # Only newer ffmpegs send WHIP.
    program = bundled_ffmpeg() or tool.path if push == "WHIP" else tool.path
    return await asyncio.create_subprocess_exec(program, *arguments)


async def measure(tool: Ffmpeg, push: str) -> Row:
    async with open_site(tool) as site:
        listener = site.listener
        first = await start(tool, push, site.addresses, "main")
        second = None
        try:
            async with asyncio.timeout(WAIT_S):
                await listener.until_pieces(5)
            second = await start(tool, push, site.addresses, "backup")
            await asyncio.sleep(WARM_S)
            (epoch,) = {piece.epoch for piece in listener.pieces}
            killed_us = time.time_ns() // 1000
            first.kill()
            async with asyncio.timeout(WAIT_S):
                await listener.until(lambda: listener.pieces[-1].epoch != epoch)
            came_us = next(
                us for piece, us in zip(listener.pieces, listener.came_us, strict=True) if piece.epoch != epoch
            )
            return Row(push=push, takeover_s=round((came_us - killed_us) / 1e6, 2))
        except TimeoutError:
            return Row(push=push, takeover_s=None)
        finally:
            for pusher in (first, second):
                if pusher is not None and pusher.returncode is None:
                    pusher.kill()
                    await pusher.wait()


async def main(names: list[str]) -> None:
    logging.basicConfig(level="ERROR")
    tool = find_ffmpeg()
    rows = []
    for push in PUSHES:
        if not names or any(name.lower() in push.lower() for name in names):
            row = await measure(tool, push)
            rows.append(row)
            print(f"{row.push:20} {row.takeover_s if row.takeover_s is not None else 'NOBODY'}", flush=True)
    print(json.dumps({"rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
