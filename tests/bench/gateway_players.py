"""The players of ``make bench-gateway``: many in one process, which throw away what they get and note when it came.

Three kinds: ``blocked`` reload a low-latency playlist only; ``parts`` do that and load each part, as hls.js does;
``segments`` load an ordinary playlist once a second and each new segment. The last line is a JSON object.
"""

import argparse
import asyncio
import json
import random
import re
import time
from collections import defaultdict

import httptools
import uvloop

from tests.gateway.media_fixture import PIECES_PER_SEGMENT

HINT = re.compile(rb'PRELOAD-HINT:TYPE=PART,URI="muxed/(\d+)\.(\d+)\.m4s"')
SEGMENT = re.compile(rb"^muxed/(\d+)\.m4s", re.MULTILINE)
RELOAD_S = 1.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"

Times = dict[str, list[float]]


class Answer:
    """One answer: status, first bytes' moment, and the body where it is wanted."""

    def __init__(self) -> None:
        self.status = 0
        self.first_s = 0.0
        self.size = 0
        self.body = bytearray()


class Connection(asyncio.Protocol):
    """One keep-alive connection of a player's; a question at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._answer = Answer()
        self._keep = False
        self._done: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)

    async def ask(self, path: str, *, keep: bool = False) -> Answer:
        """Raises ConnectionError."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            self._parser = httptools.HttpResponseParser(self)
            self._transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        self._answer, self._keep, self._done = Answer(), keep, loop.create_future()
        request = f"GET {path} HTTP/1.1\r\nHost: localhost:{self._port}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n\r\n"
        self._transport.write(request.encode())
        return await self._done

    def data_received(self, data: bytes) -> None:
        if not self._answer.first_s:
            self._answer.first_s = time.time()
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._answer.size += len(body)
        if self._keep:
            self._answer.body += body

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        if self._done is not None and not self._done.done():
            self._done.set_result(self._answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError(str(error)))


class Crowd:
    """All players, and what they note; places are "segment.part"."""

    def __init__(self, port: int, name: str, until_s: float) -> None:
        self._port = port
        self._base = f"/live/{name}"
        self._until_s = until_s
        self.replies: Times = defaultdict(list)
        self.received: Times = defaultdict(list)
        self.took_s: list[float] = []
        self.faults: list[str] = []
        self.size = 0

    @property
    def is_over(self) -> bool:
        return time.time() >= self._until_s

    async def reload(self, *, with_parts: bool) -> None:
        """A low-latency player: its playlist on one connection, its parts on another."""
        lists, media = Connection(self._port), Connection(self._port)
        first = await self._ask(lists, "/muxed.m3u8", keep=True)
        match = HINT.search(first.body)
        assert match, bytes(first.body)
        msn, part = int(match[1]), int(match[2])
        while not self.is_over:
            answer = await self._ask(lists, f"/muxed.m3u8?_HLS_msn={msn}&_HLS_part={part}")
            self.replies[f"{msn}.{part}"].append(answer.first_s)
            if with_parts:
                await self._ask(media, f"/muxed/{msn}.{part}.m4s")
                self.received[f"{msn}.{part}"].append(time.time())
            msn, part = (msn, part + 1) if part + 1 < PIECES_PER_SEGMENT else (msn + 1, 0)

    async def poll(self) -> None:
        """An ordinary player: every second the playlist, and what is new in it."""
        connection, newest = Connection(self._port), 0
        await asyncio.sleep(random.uniform(0, RELOAD_S))
        while not self.is_over:
            began_s = time.time()
            answer = await self._ask(connection, "/plain.m3u8", keep=True)
            numbers = [int(number) for number in SEGMENT.findall(answer.body)]
            for number in [n for n in numbers if n > newest][-1 if not newest else 0 :]:
                asked_s = time.time()
                await self._ask(connection, f"/muxed/{number}.m4s")
                self.took_s.append(time.time() - asked_s)
                newest = number
            await asyncio.sleep(max(began_s + RELOAD_S - time.time(), 0))

    async def _ask(self, connection: Connection, path: str, *, keep: bool = False) -> Answer:
        answer = await connection.ask(self._base + path, keep=keep)
        self.size += answer.size
        if answer.status != 200:
            self.faults.append(f"{answer.status} {path}")
        return answer


async def play(options: argparse.Namespace) -> Crowd:
    """So many players for so long."""
    crowd = Crowd(options.port, options.name, time.time() + options.seconds)
    players = []
    for _ in range(options.players):
        work = crowd.poll() if options.kind == "segments" else crowd.reload(with_parts=options.kind == "parts")
        players.append(asyncio.create_task(work))
        await asyncio.sleep(0.005)
    for outcome in await asyncio.gather(*players, return_exceptions=True):
        if isinstance(outcome, BaseException):
            crowd.faults.append(repr(outcome))
    return crowd


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("blocked", "parts", "segments"))
    parser.add_argument("port", type=int)
    parser.add_argument("name")
    parser.add_argument("--players", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    crowd = uvloop.run(play(parser.parse_args()))
    figures = {
        "replies": crowd.replies,
        "received": crowd.received,
        "took_s": crowd.took_s,
        "faults": crowd.faults,
        "size": crowd.size,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
