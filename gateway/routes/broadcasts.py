"""The control API's broadcasts: what this gateway puts on air, of inputs on this machine and of pushes.

An input may be any file or address that this machine reaches, so only programs of this machine may name one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.broadcasts import Broadcasts, Programme, Station, StationState, admission_of
from gateway.channels import Channels
from gateway.errors import CannotStart
from gateway.ingest.desk import IngestDesk, PushStatus
from gateway.ingest.errors import FfmpegMissing
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.private_hosts import leads_to_private
from gateway.ingest.sources import Encoding
from gateway.ingest.vitals import Vitals
from gateway.ladder import RUNGS_MAX, has_audio_rung, read_ladder
from gateway.latency import PACES, Latency
from gateway.openapi import CREATED
from gateway.problems import Problem
from gateway.routes.local_only import local_only
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.passwords import CHARS_MAX, CHARS_MIN
from swarm.units import StreamId

SOURCE_CHARS_MAX = 2048
SOURCES_MAX = 256
DEVICE_CHARS_MAX = 200
TITLE_CHARS_MAX = 120

SourceName = Annotated[str, Field(min_length=1, max_length=SOURCE_CHARS_MAX)]
FindFfmpeg = Callable[[], Awaitable[Ffmpeg]]


class NewBroadcast(BaseModel):
    """An input to put on air."""

    source: Annotated[
        SourceName | Annotated[list[SourceName], Field(min_length=1, max_length=SOURCES_MAX)],
        Field(
            description="A file, a folder, a list of files, a URL, camera, screen, or test; "
            "several files, folders, lists and URLs are played one after the other.",
        ),
    ]
    title: Annotated[str, Field(max_length=TITLE_CHARS_MAX, description="What viewers see as its name.")] = "Untitled"
    loop: Annotated[bool, Field(description="Begin again when the film or the last film is over.")] = False
    shuffle: Annotated[bool, Field(description="Play several films in any order.")] = False
    microphone: Annotated[
        str,
        Field(max_length=DEVICE_CHARS_MAX, description="Sound for a camera or the screen; default is the system's."),
    ] = ""
    new_key: Annotated[bool, Field(description="A new stream, rather than the one of the same title.")] = False
    ladder: Annotated[list[str], Field(max_length=RUNGS_MAX + 1, description="Sizes such as 720p, and audio.")] = []
    latency: Annotated[Latency | None, Field(description="How late viewers may be; else as in the settings.")] = None
    private: Annotated[bool, Field(description="Sealed: only who has its link can play it.")] = False
    password: Annotated[
        str | None,
        Field(min_length=CHARS_MIN, max_length=CHARS_MAX, repr=False, description="Sealed: who knows it can play it."),
    ] = None
    tickets: Annotated[bool, Field(description="Sealed: who has a ticket can play it.")] = False
    encode_long_gop: Annotated[
        bool | None, Field(description="Encode a picture whose key frames are rare; else as in the settings.")
    ] = None
    allow_private: Annotated[bool, Field(description="Open URLs that lead to a private address.")] = False

    @property
    def programme(self) -> Programme:
        """Raises CannotStart for a stream that is to be sealed in two ways."""
        return Programme(
            sources=(self.source,) if isinstance(self.source, str) else tuple(self.source),
            title=self.title,
            loop=self.loop,
            shuffle=self.shuffle,
            microphone=self.microphone,
            allow_private=self.allow_private,
            new_key=self.new_key,
            admission=admission_of(private=self.private, password=bool(self.password), tickets=self.tickets),
            password=self.password or "",
        )


class BroadcastReport(BaseModel):
    """How a broadcast goes."""

    id: Annotated[str, Field(description="The stream's name.")]
    kind: Literal["input", "push"]
    source: Annotated[str, Field(description="The input without its passwords, or the name of the key of a push.")]
    title: str
    link: Annotated[str, Field(description="What to give to viewers.")]
    state: StationState
    trouble: Annotated[str, Field(description="Why it failed, or is off air for the moment; else empty.")]
    seconds: Annotated[float, Field(description="Since it began.")]
    bytes_in: Annotated[
        int | None,
        Field(description="Pushed, read of a file, or the media of an address that is copied; else null: not counted."),
    ]
    in_bps: Annotated[int | None, Field(description="How fast that comes.")]
    bytes_out: Annotated[int, Field(description="Of all pieces, all renditions together.")]
    bitrate_bps: Annotated[int, Field(description="What goes out, all renditions together.")]
    pieces: int
    fps: float
    segment_s: Annotated[float, Field(description="Distance of the key frames that are used; 0 when unknown.")]
    gop_s: Annotated[float, Field(description="Distance of the last two key frames; 0 when unknown.")]
    gop_s_max: Annotated[float, Field(description="The longest distance of two key frames.")]
    video_codec: Annotated[str, Field(description="As it goes out, as in RFC 6381; empty when unknown.")]
    audio_codec: Annotated[str, Field(description="As it goes out; several with spaces between.")]
    width: Annotated[int, Field(description="Of the largest rendition, in pixels.")]
    height: int
    coding: Annotated[
        str, Field(description="What codes the picture: an encoder's name, copy for as it came, none; empty at first.")
    ]
    copied: Annotated[bool, Field(description="Whether the picture goes out as it came, and is not encoded here.")]
    frames_dropped: Annotated[int, Field(description="By ffmpeg, to make an uneven input even.")]
    frames_duplicated: int
    speed: Annotated[float | None, Field(description="Media time per time, of the last seconds; 1 is real time.")]
    encoder_delay_s: Annotated[
        float | None, Field(description="From the encoder's clock to here, where the encoder tells its time.")
    ]
    complaint: Annotated[str, Field(description="What ffmpeg complained of last, in plain words; else empty.")]
    warnings: Annotated[list[str], Field(description="What whoever sends should change.")]
    restarts: Annotated[
        int, Field(description="How often an input was opened again, a sender came back, or ffmpeg was begun anew.")
    ]


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

    @router.post("", status_code=201, summary="Put an input on air", responses=CREATED)
    async def start_broadcast(new: NewBroadcast, response: Response) -> BroadcastReport:
        try:
            programme = new.programme
            await _refuse_private(programme)
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
    return BroadcastReport.model_validate(
        {
            "id": station.id,
            "kind": "input",
            "source": station.name,
            "title": station.programme.title,
            "link": station.on_air.channel.share_link,
            "state": station.state,
            "trouble": station.trouble,
            "seconds": round(station.seconds, 1),
            "bytes_in": stats.bytes_in,
            "in_bps": stats.in_bps,
            "bytes_out": stats.size_bytes,
            "bitrate_bps": stats.bitrate_bps,
            "pieces": stats.pieces,
            "segment_s": round(stats.segment_s, 3),
            "restarts": stats.restarts,
            **_vital_fields(stats.vitals),
        }
    )


def report_push(push: PushStatus, link_of: Callable[[str], str]) -> BroadcastReport:
    """A push as it is now."""
    name = _stream_of(push)
    return BroadcastReport.model_validate(
        {
            "id": name,
            "kind": "push",
            "source": push.name,
            "title": push.title,
            "link": link_of(name),
            "state": StationState.ON_AIR if push.on_air else StationState.WAITING,
            "trouble": push.trouble,
            "seconds": round(push.seconds, 1),
            "bytes_in": push.size_bytes,
            "in_bps": push.in_bps,
            "bytes_out": push.out_bytes,
            "bitrate_bps": push.bitrate_bps,
            "pieces": push.pieces,
            "segment_s": round(push.segment_s, 3),
            "restarts": push.restarts,
            **_vital_fields(push.vitals),
        }
    )


def _vital_fields(vitals: Vitals) -> dict[str, object]:
    """In the report's names, with numbers rounded to what is worth reading."""
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(vitals).items()}


def _find_push(desk: IngestDesk, name: str) -> PushStatus | None:
    return next((push for push in desk.pushes() if _stream_of(push) == name), None)


def _stream_of(push: PushStatus) -> str:
    return stream_name(StreamId(Identity(push.seed).key))


async def _refuse_private(programme: Programme) -> None:
    """Raises Problem for a URL into a private network that nobody has allowed."""
    if programme.allow_private:
        return
    if await asyncio.to_thread(lambda: any(map(leads_to_private, programme.sources))):
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
    if new.encode_long_gop is not None:
        encoding = replace(encoding, encode_long_gop=new.encode_long_gop)
    if new.latency is None:
        return encoding
    pace = PACES[new.latency]
    return replace(encoding, part_s=pace.part_ms / 1000, segment_s=pace.segment_s, hold_back_s=pace.hold_back_s)
