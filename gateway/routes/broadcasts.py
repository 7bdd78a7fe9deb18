"""The control API's broadcasts: what this gateway puts on air, of inputs on this machine and of pushes.

An input may be any file or address that this machine reaches, so only programs of this machine may name one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.broadcasts import Broadcasts, Programme, Station, StationState
from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.ingest.desk import IngestDesk, PushStatus
from gateway.ingest.errors import FfmpegMissing
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.private_hosts import leads_to_private
from gateway.ingest.sources import Encoding
from gateway.ladder import RUNGS_MAX, has_audio_rung, read_ladder
from gateway.latency import PACES, Latency
from gateway.problems import Problem
from gateway.routes.local_only import local_only
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.units import StreamId

SOURCE_CHARS_MAX = 2048
TITLE_CHARS_MAX = 120

FindFfmpeg = Callable[[], Awaitable[Ffmpeg]]


class NewBroadcast(BaseModel):
    """An input to put on air."""

    source: Annotated[
        str,
        Field(
            min_length=1,
            max_length=SOURCE_CHARS_MAX,
            description="A file, a URL, a camera, or test.",
        ),
    ]
    title: Annotated[str, Field(max_length=TITLE_CHARS_MAX, description="What viewers see as its name.")] = "Untitled"
    loop: Annotated[bool, Field(description="Begin again when a file is over.")] = False
    new_key: Annotated[bool, Field(description="A new stream, rather than the one of the same title.")] = False
    ladder: Annotated[list[str], Field(max_length=RUNGS_MAX + 1, description="Sizes such as 720p, and audio.")] = []
    latency: Annotated[Latency | None, Field(description="How late viewers may be; else as in the settings.")] = None
    allow_private: Annotated[bool, Field(description="Open a URL that leads to a private address.")] = False


class BroadcastReport(BaseModel):
    """How a broadcast goes."""

    id: Annotated[str, Field(description="The stream's name.")]
    kind: Literal["input", "push"]
    source: Annotated[str, Field(description="The input, or the name of the key that is pushed with.")]
    title: str
    link: Annotated[str, Field(description="What to give to viewers.")]
    state: StationState
    trouble: Annotated[str, Field(description="Why it failed; else empty.")]
    seconds: Annotated[float, Field(description="Since it began.")]
    bytes_in: Annotated[int, Field(description="Pushed so far; 0 for an input.")]
    in_bps: Annotated[int, Field(description="What a push brings; 0 for an input.")]
    bitrate_bps: Annotated[int, Field(description="What goes out, all renditions together.")]
    pieces: int
    fps: float
    segment_s: Annotated[float, Field(description="Distance of the key frames that are used; 0 when unknown.")]
    restarts: Annotated[int, Field(description="How often an input was opened again.")]


def broadcasts_router(
    broadcasts: Broadcasts, desk: IngestDesk, channels: Channels, encoding: Encoding, ffmpeg: FindFfmpeg
) -> APIRouter:
    """Routes under /api/v1/broadcasts."""
    router = APIRouter(prefix="/api/v1/broadcasts", tags=["broadcasts"], dependencies=[Depends(local_only)])

    def link_of(name: str) -> str:
        return channels.get(name).share_link

    @router.get("", summary="All broadcasts from here")
    async def list_broadcasts() -> list[BroadcastReport]:
        inputs = [report_station(station) for station in broadcasts.all()]
        return inputs + [report_push(push, link_of) for push in desk.pushes()]

    @router.get("/{id}", summary="One broadcast")
    async def show_broadcast(id: str) -> BroadcastReport:  # noqa: A002 - the path's name for it, in the API's terms
        push = _find_push(desk, id)
        return report_push(push, link_of) if push is not None else report_station(broadcasts.get(id))

    @router.post("", status_code=201, summary="Put an input on air")
    async def start_broadcast(new: NewBroadcast, response: Response) -> BroadcastReport:
        await _refuse_private(new)
        programme = Programme(source=new.source, title=new.title, loop=new.loop, new_key=new.new_key)
        try:
            station = broadcasts.start(programme, ffmpeg=await ffmpeg(), encoding=_encoding(encoding, new))
        except FfmpegMissing as error:
            raise Problem(
                status=503, title="This gateway has no ffmpeg", detail=str(error), slug="ffmpeg-missing"
            ) from error
        except CannotStart as error:
            raise Problem(
                status=422, title="This cannot go on air", detail=str(error), slug="broadcast-refused"
            ) from error
        response.headers["location"] = f"/api/v1/broadcasts/{station.id}"
        return report_station(station)

    @router.delete("/{id}", status_code=204, summary="End a broadcast")
    async def stop_broadcast(id: str) -> None:  # noqa: A002 - the path's name for it, in the API's terms
        push = _find_push(desk, id)
        if push is not None:
            desk.end_push(push.name)
        else:
            await broadcasts.get(id).stop()

    return router


def report_station(station: Station) -> BroadcastReport:
    """An input as it is now."""
    stats = station.broadcast.stats
    return BroadcastReport(
        id=station.id,
        kind="input",
        source=station.programme.source,
        title=station.programme.title,
        link=station.on_air.channel.share_link,
        state=station.state,
        trouble=station.trouble,
        seconds=round(station.seconds, 1),
        bytes_in=0,
        in_bps=0,
        bitrate_bps=stats.bitrate_bps,
        pieces=stats.pieces,
        fps=round(stats.fps, 3),
        segment_s=round(stats.segment_s, 3),
        restarts=stats.restarts,
    )


def report_push(push: PushStatus, link_of: Callable[[str], str]) -> BroadcastReport:
    """A push as it is now."""
    name = _stream_of(push)
    return BroadcastReport(
        id=name,
        kind="push",
        source=push.name,
        title=push.title,
        link=link_of(name),
        state=StationState.ON_AIR if push.on_air else StationState.WAITING,
        trouble="",
        seconds=round(push.seconds, 1),
        bytes_in=push.size_bytes,
        in_bps=push.in_bps,
        bitrate_bps=push.bitrate_bps,
        pieces=push.pieces,
        fps=round(push.fps, 3),
        segment_s=round(push.segment_s, 3),
        restarts=0,
    )


def _find_push(desk: IngestDesk, name: str) -> PushStatus | None:
    return next((push for push in desk.pushes() if _stream_of(push) == name), None)


def _stream_of(push: PushStatus) -> str:
    return stream_name(StreamId(Identity(push.seed).key))


async def _refuse_private(new: NewBroadcast) -> None:
    """Raises Problem for a URL into a private network that nobody has allowed."""
    if not new.allow_private and await asyncio.to_thread(leads_to_private, new.source):
        raise Problem(
            status=422,
            title="This URL leads to a private address",
            detail="Set allow_private if that is meant.",
            slug="private-address",
        )


def _encoding(encoding: Encoding, new: NewBroadcast) -> Encoding:
    """Raises Problem for a ladder that is none."""
    try:
        ladder = read_ladder(new.ladder)
    except ValueError as error:
        raise Problem(status=422, title="This ladder cannot be used", detail=str(error), slug="bad-ladder") from error
    if ladder:
        encoding = replace(encoding, ladder=ladder, audio_rung=has_audio_rung(new.ladder))
    if new.latency is None:
        return encoding
    pace = PACES[new.latency]
    return replace(encoding, part_s=pace.part_ms / 1000, segment_s=pace.segment_s, hold_back_s=pace.hold_back_s)
