"""Who watches a stream that nobody has is told so, and who was asked."""

import asyncio
import io
from pathlib import Path

from rich.console import Console

from gateway.commands.loneliness import hint, telling_if_lonely
from gateway.commands.serve import running_gateway
from gateway.routes.api import Finding
from gateway.settings import Settings
from swarm.link import Link, stream_name
from swarm.units import StreamId

STREAM = StreamId(bytes(range(32)))
WAIT_S = 20.0


class Told(io.StringIO):
    """What a person reads."""

    def __init__(self) -> None:
        super().__init__()
        self.something = asyncio.Event()

    def write(self, text: str) -> int:
        self.something.set()
        return super().write(text)


def test_after_a_while_it_is_said_who_was_asked(tmp_path: Path) -> None:
    async def scene() -> str:
        settings = Settings(port=0, swarm_host="127.0.0.1", data_dir=tmp_path)
        told = Told()
        async with running_gateway(settings, asyncio.Event()) as (gateway, url):
            await gateway.channels.add(Link(STREAM)).watch()
            name, console = stream_name(STREAM), Console(file=told)
            async with telling_if_lonely(url, name, console, patience_s=0.1, every_s=0.05), asyncio.timeout(WAIT_S):
                await told.something.wait()
        return told.getvalue()

    said = asyncio.run(scene())
    assert "Nobody with this stream has been found yet" in said
    assert "trackers: none is named" in said


def test_addresses_without_an_answer_are_counted() -> None:
    findings = [Finding(finder="dht", said="answers", peers=n, refused={}) for n in (0, 1, 2)]
    assert hint(findings).splitlines()[1:] == [
        "  dht: answers",
        "  dht: answers, 1 address without an answer",
        "  dht: answers, 2 addresses without an answer",
    ]
