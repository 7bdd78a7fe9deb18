"""A broadcast for ticket holders, whole: broadcaster and commands in processes of their own, two gateways on real
sockets, one of which has a ticket, until that is taken back."""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import m3u8
import pytest

from gateway.commands.serve import running_gateway
from tests.conftest import need_ffmpeg
from tests.gateway.test_app import client_of, settings

pytestmark = [pytest.mark.e2e, pytest.mark.alongside, pytest.mark.timeout(120)]

ROTATION_S = 10
"""The least there is."""


def seedcast(folder: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    environment = {
        **os.environ,
        "SEEDCAST_DATA_DIR": str(folder),
        "SEEDCAST_SWARM_HOST": "127.0.0.1",
        "SEEDCAST_KEY_ROTATION_S": str(ROTATION_S),
    }
    return [sys.executable, "-m", "gateway", *words], environment


async def start(folder: Path, *words: str) -> asyncio.subprocess.Process:
    command, environment = seedcast(folder, *words)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=environment)


async def run(folder: Path, *words: str) -> str:
    """The first line that a command puts out."""
    process = await start(folder, *words)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().partition("\n")[0]


async def until(client: httpx.AsyncClient, path: str, status: int) -> httpx.Response:
    """Ask until the answer has this status; the test's own time-out ends it."""
    while (answer := await client.get(path)).status_code != status:  # noqa: ASYNC110 - a page has no event
        await asyncio.sleep(0.1)
    return answer


async def play(folder: Path) -> None:
    owner = folder / "owner"
    broadcast = await start(owner, "broadcast", "test", "--tickets", "--title", "Show", "--json", "--with-parent")
    assert broadcast.stdin is not None
    assert broadcast.stdout is not None
    try:
        link = json.loads(await broadcast.stdout.readline())["link"]
        assert "#" not in link
        await watch(folder, owner, link)
    finally:
        broadcast.stdin.close()
        await broadcast.communicate()


async def watch(folder: Path, owner: Path, link: str) -> None:
    """Two gateways: Anna's with a ticket, and one that carries what it cannot read."""
    ticket = await run(owner, "tickets", "issue", link, "anna")
    async with AsyncExitStack() as stack:
        clients = []
        for name, given in (("anna", ticket), ("relay", link)):
            _, url = await stack.enter_async_context(running_gateway(settings(folder / name), asyncio.Event()))
            client = await stack.enter_async_context(client_of(url))
            added = await client.post("/api/v1/streams", json={"link": given})
            clients.append((client, added.json()))
        (anna, stream), (relay, _) = clients
        playlist, api = stream["hls_url"], f"/api/v1/streams/{stream['id']}"

        refused = await until(relay, playlist, 403)
        assert refused.json()["type"] == "urn:seedcast:problem:locked"
        played = await until(anna, playlist, 200)
        assert "#EXTM3U" in played.text
        locked = (await relay.get(api)).json()
        assert (locked["state"], locked["admission"]) == ("locked", "ticket")
        assert locked["pieces_ready"] > 0, "it carries what it cannot read"

        await run(owner, "tickets", "revoke", link, "anna")
        async with asyncio.timeout(ROTATION_S):
            refused = await until(anna, playlist, 403)
        assert "ticket" in refused.json()["detail"]

        back = stream["timeshift_url"].replace("index", "window")
        kept = m3u8.loads((await anna.get(back)).text)
        assert kept.is_endlist, "what could be read until then is a film"
        assert (await anna.get(back.replace("window.m3u8", kept.segments[0].uri))).status_code == 200
        assert (await relay.get(back)).status_code == 403


def test_a_ticket_holder_watches_until_the_ticket_is_taken_back(tmp_path: Path) -> None:
    need_ffmpeg()
    asyncio.run(play(tmp_path))
