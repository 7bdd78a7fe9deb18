"""The floor under ``make bench-swarm``: the same pieces from one server to all viewers over plain TCP.

It has no coding, no signatures, no encryption and no peers, and a server that pays for every viewer.
"""

import asyncio
import os
import time

BASELINE_S = 5.0


async def plain_tcp(viewers: int, bitrate_bps: int, piece_s: float) -> tuple[float, list[float]]:
    """Cores used over ``BASELINE_S`` seconds, and every piece's delay from sending to whole at each viewer, sorted."""
    size = int(bitrate_bps * piece_s / 8)
    sent_s: dict[int, float] = {}
    delays_s: list[float] = []
    pieces = max(1, int(BASELINE_S / piece_s))
    writers: list[asyncio.StreamWriter] = []
    complete = asyncio.Event()

    def welcome(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if len(writers) == viewers:
            complete.set()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0, backlog=viewers)
    port = server.sockets[0].getsockname()[1]

    async def view() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4 * size)
        for number in range(pieces):
            await reader.readexactly(size)
            delays_s.append(time.monotonic() - sent_s[number])
        writer.close()
        await writer.wait_closed()

    tasks = [asyncio.create_task(view()) for _ in range(viewers)]
    await complete.wait()
    cpu_s = time.process_time()
    for number in range(pieces):
        payload, sent_s[number] = os.urandom(size), time.monotonic()
        for writer in writers:
            writer.write(payload)
        await asyncio.sleep(piece_s)
    await asyncio.gather(*tasks)
    cpu_s = time.process_time() - cpu_s
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return cpu_s / BASELINE_S, sorted(delays_s)
