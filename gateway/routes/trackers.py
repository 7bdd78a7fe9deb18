"""The control API: what a stream's trackers say, and how many watch as far as they know."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway.channels import Channels
from swarm.discovery.announces import Counts
from swarm.discovery.trackers import TrackerState
from swarm.units import StreamId


class TrackerReport(BaseModel):
    """One tracker, or one of several that stand for each other."""

    tracker: Annotated[str, Field(description="Its URL.")]
    said: Annotated[str, Field(description="How it goes: a sentence.")]
    peers: Annotated[int, Field(description="Addresses of its last answer that are worth a dial.")]
    refused: Annotated[dict[str, int], Field(description="Addresses that are not, by reason.")]
    seen_at: Annotated[str | None, Field(description="Where it sees this gateway; null if it does not say.")]


class TrackersReport(BaseModel):
    """All trackers of a stream, as far as it is joined."""

    trackers: list[TrackerReport]
    sources: Annotated[int | None, Field(description="By the tracker that knows of most viewers; null if none says.")]
    viewers: Annotated[int | None, Field(description="Viewers and relays, by the same one.")]


States = Callable[[StreamId], list[TrackerState]]
Count = Callable[[StreamId], Awaitable[Counts | None]]


def trackers_router(channels: Channels, states: States, count: Count) -> APIRouter:
    """The route under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["streams"])

    @router.get("/streams/{id}/trackers", summary="What its trackers say, and how many watch")
    async def show_trackers(id: str) -> TrackersReport:  # noqa: A002 - the path's name for it, in the API's terms
        stream = channels.get(id).stream
        counts = await count(stream)
        return TrackersReport(
            trackers=[_report(state) for state in states(stream)],
            sources=counts.sources if counts is not None else None,
            viewers=counts.viewers if counts is not None else None,
        )

    return router


def _report(state: TrackerState) -> TrackerReport:
    return TrackerReport(
        tracker=state.tracker, said=state.said, peers=state.peers, refused=state.refused, seen_at=state.seen_at
    )
