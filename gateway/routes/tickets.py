"""The control API's tickets: given out for streams of this machine, listed, taken back. A ticket is shown once."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.problems import Problem
from gateway.routes.local_only import local_only
from gateway.ticket_book import NAME_CHARS_MAX, TicketBook, TicketEntry
from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.link import STREAM_CHARS, Link, format_link, parse_link, parse_stream_name, stream_name
from swarm.tickets import viewer_key
from swarm.units import StreamId

DAYS_MAX = 3650
DAY_S = 86_400


class NewTicket(BaseModel):
    """A ticket to make."""

    stream: Annotated[str, Field(max_length=STREAM_CHARS, description="The stream's name, 52 characters.")]
    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^/\x00-\x1f]+$")]
    days: Annotated[float, Field(gt=0, le=DAYS_MAX, description="How long it is good.")] = 30
    viewer: Annotated[
        str | None,
        Field(max_length=STREAM_CHARS, description="The viewer's own key; without it the link carries one."),
    ] = None


class TicketSummary(BaseModel):
    """A ticket without its secret."""

    stream: str
    name: str
    expires: datetime
    revoked: bool


class ShownTicket(TicketSummary):
    """A ticket as its viewer needs it, this once."""

    link: str


class ViewerKey(BaseModel):
    """The key that tickets for this gateway name."""

    key: str


def tickets_router(
    book: TicketBook, channels: Channels, owner_of: Callable[[StreamId], Identity], secret: Callable[[], bytes]
) -> APIRouter:
    """Routes under /api/v1/tickets."""
    router = APIRouter(prefix="/api/v1/tickets", tags=["tickets"], dependencies=[Depends(local_only)])

    @router.get("", summary="All tickets, without their secrets")
    async def list_tickets() -> list[TicketSummary]:
        try:
            return [_summarise(entry) for entry in book.entries()]
        except CannotStart as error:
            raise _refused(error) from error

    @router.post("", status_code=201, summary="Make a ticket; it is shown this once")
    async def issue_ticket(new: NewTicket, response: Response) -> ShownTicket:
        now_s, stream = time.time(), _key(new.stream)
        viewer = _key(new.viewer) if new.viewer is not None else None
        try:
            owner = await asyncio.to_thread(owner_of, stream)
            entry, carried = book.issue(
                owner, new.name, expires_s=int(now_s + new.days * DAY_S), now_s=now_s, viewer=viewer
            )
        except CannotStart as error:
            raise _refused(error) from error
        response.headers["cache-control"] = "no-store"
        link = format_link(replace(_link(channels, stream), secret=carried))
        return ShownTicket(**dict(_summarise(entry)), link=link)

    @router.get("/mine", summary="The key that tickets for this gateway name")
    async def show_viewer_key() -> ViewerKey:
        try:
            own = await asyncio.to_thread(secret)
        except CannotStart as error:
            raise _refused(error) from error
        return ViewerKey(key=stream_name(StreamId(viewer_key(own))))

    @router.delete("/{stream}/{name}", status_code=204, summary="Take a ticket back")
    async def revoke_ticket(stream: str, name: str) -> None:
        try:
            book.revoke(_key(stream), name, time.time())
        except CannotStart as error:
            raise _refused(error) from error

    return router


def _link(channels: Channels, stream: StreamId) -> Link:
    """What this gateway knows of the stream, if it does."""
    try:
        return parse_link(channels.get(stream_name(stream)).public_link)
    except Problem:
        return Link(stream)


def _summarise(entry: TicketEntry) -> TicketSummary:
    expires = datetime.fromtimestamp(entry.expires, UTC)
    return TicketSummary(stream=entry.stream, name=entry.name, expires=expires, revoked=entry.revoked)


def _key(text: str) -> StreamId:
    try:
        return parse_stream_name(text)
    except LinkError as error:
        raise Problem(status=422, title="This is no key", detail=str(error), slug="bad-key") from error


def _refused(error: CannotStart) -> Problem:
    return Problem(status=409, title="That cannot be done with this ticket", detail=str(error), slug="ticket-refused")
