"""Tells who watches that nobody with the stream has been found, who was asked, and what they said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from pydantic import ValidationError
from rich.console import Console

from gateway.channel import State
from gateway.routes.api import Finding, StreamDetail

PATIENCE_S = 8.0
ASK_EVERY_S = 1.0
ANSWER_S = 5.0
SEEKING = (State.JOINING, State.UNREACHABLE, State.SILENT)


@asynccontextmanager
async def telling_if_lonely(
    base_url: str, name: str, console: Console, *, patience_s: float = PATIENCE_S, every_s: float = ASK_EVERY_S
) -> AsyncIterator[None]:
    """While this is open, watch a gateway until somebody of the stream is found, and say so once when it takes long."""
    looking = asyncio.create_task(_look(base_url, name, console, patience_s, every_s), name="loneliness")
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def hint(findings: list[Finding]) -> str:
    """What to say: a line for each way that was gone."""
    ways = [f"  {way.finder}: {way.said}{_addresses(way.peers)}" for way in findings]
    return "\n".join(["Nobody with this stream has been found yet; it may be off the air. Still looking:", *ways])


def _addresses(count: int) -> str:
    if not count:
        return ""
    return f", {count} address{'' if count == 1 else 'es'} without an answer"


async def _look(base_url: str, name: str, console: Console, patience_s: float, every_s: float) -> None:
    async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_S, trust_env=False) as client:
        lonely_s = 0.0
        while lonely_s <= patience_s:
            await asyncio.sleep(every_s)
            detail = await _ask(client, name)
            if detail is not None and detail.peers:
                return
            lonely_s = lonely_s + every_s if detail is not None and detail.state in SEEKING else 0.0
        if detail is not None:
            console.print(hint(detail.finders), markup=False, highlight=False, soft_wrap=True)


async def _ask(client: httpx.AsyncClient, name: str) -> StreamDetail | None:
    try:
        answer = await client.get(f"/api/v1/streams/{name}")
        return StreamDetail.model_validate_json(answer.content) if answer.is_success else None
    except (httpx.HTTPError, ValidationError):
        return None
