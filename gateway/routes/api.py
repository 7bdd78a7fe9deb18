"""The control API, version 1: the streams that this gateway knows, and how each of them goes."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway.audience import Audience
from gateway.channel import Channel, State
from gateway.channels import Channels
from gateway.problems import Problem
from gateway.qr import svg_code
from gateway.unlocking import unlock
from gateway.uplink_keeper import UplinkReport
from swarm.discovery.finder import Progress
from swarm.errors import LinkError
from swarm.link import Link, format_magnet, short_name, stream_name
from swarm.passwords import CHARS_MAX
from swarm.pasted import PASTE_CHARS_MAX, find_link
from swarm.sealing import Admission
from swarm.status import PeerStatus
from swarm.units import PeerId, StreamId


class StreamSummary(BaseModel):
    """One stream at a glance."""

    id: Annotated[str, Field(description="The stream's name: its public key, 52 characters.")]
    key: Annotated[str, Field(description="The beginning of the name, to be shown beside the title, which may lie.")]
    title: str
    link: Annotated[str, Field(description="What to give to others, so that they can watch.")]
    magnet: Annotated[str, Field(description="The same as a magnet link, without what opens a private stream.")]
    qr_url: Annotated[str, Field(description="The link as a QR code, an SVG image, as a path on this gateway.")]
    hls_url: Annotated[str, Field(description="Low-latency HLS, as a path on this gateway.")]
    plain_url: Annotated[str, Field(description="Ordinary HLS of the same segments, for older players.")]
    timeshift_url: Annotated[str | None, Field(description="HLS to go back in; null when nothing is kept.")]
    renditions: Annotated[
        list[str], Field(description="Names of what there is, the lowest first; one of them in a URL pins it.")
    ]
    playing: Annotated[str | None, Field(description="The rendition that is chosen now; null before anything came.")]
    state: State
    admission: Annotated[
        Literal["link", "password", "ticket"] | None,
        Field(description="What opens a sealed stream; null for one that is open, or not known yet."),
    ]
    viewers: Annotated[int, Field(description="Players that asked for something within 10 s.")]
    peers: Annotated[int, Field(description="Neighbours in the stream's swarm.")]
    bytes_in: Annotated[int, Field(description="Received from the swarm since joining.")]
    bytes_out: Annotated[int, Field(description="Sent to the swarm since joining.")]
    delay_s: Annotated[float | None, Field(description="From capture to whole pieces here; null if unknown.")]
    is_local: Annotated[bool, Field(description="The stream is broadcast from this gateway.")]


class Peer(BaseModel):
    """One neighbour in a stream's swarm."""

    key: Annotated[str, Field(description="The peer's public key, 52 characters.")]
    address: str
    dialled: Annotated[bool, Field(description="The link was opened from here.")]
    bytes_in: int
    bytes_out: int
    rtt_s: float
    stripes_from: Annotated[list[int], Field(description="Stripes that it sends here.")]
    stripes_to: Annotated[list[int], Field(description="Stripes that it gets from here.")]
    is_source: bool
    lodging: Annotated[
        Literal["host", "lodger"] | None,
        Field(description="In one household: whether it sends the whole stream here, or gets it from here."),
    ]


class Finding(BaseModel):
    """One way of finding a stream's peers."""

    finder: Annotated[str, Field(description="trackers, dht, lan (this network) or memory (peers of last time).")]
    said: Annotated[str, Field(description="How it goes: a sentence.")]
    peers: Annotated[int, Field(description="Addresses that it has found.")]
    refused: Annotated[dict[str, int], Field(description="Addresses that were not worth a dial, by reason.")]


class StreamDetail(StreamSummary):
    """One stream with all its neighbours, and how they were looked for."""

    peers_detail: list[Peer]
    finders: Annotated[list[Finding], Field(description="Ways of finding peers; empty while the stream is not joined.")]
    pieces_ready: Annotated[int, Field(description="Pieces that arrived whole and true.")]
    pieces_lost: Annotated[int, Field(description="Pieces that did not arrive in time.")]
    pieces_broken: Annotated[int, Field(description="Pieces that arrived whole, but were no media.")]
    payload_bytes: Annotated[int, Field(description="Size of all whole pieces, without the swarm's overhead.")]
    bitrate_bps: float | None
    duplicates: Annotated[int, Field(description="Blocks that arrived more than once.")]
    equivocations: Annotated[int, Field(description="Pieces of which the broadcaster signed more than one version.")]


class Uplink(BaseModel):
    """This gateway's line towards its peers, all streams together."""

    line_bps: Annotated[float, Field(description="What it carries, as far as is known.")]
    proven: Annotated[bool, Field(description="The line has been full once, so that its rate is known.")]
    cap_bps: Annotated[float, Field(description="The limit at this moment; 0 for none.")]
    paused: Annotated[bool, Field(description="This month's budget is used up: nothing is relayed.")]
    budget_bytes: Annotated[int, Field(description="What may be sent in a calendar month; 0 for no end.")]
    sent_this_month_bytes: Annotated[int, Field(description="Sent to peers this month, headers included.")]


class Password(BaseModel):
    """What a viewer knows."""

    password: Annotated[str, Field(max_length=CHARS_MAX, repr=False)]


class SvgImage(Response):
    """A picture for the page."""

    media_type = "image/svg+xml"


class NewStream(BaseModel):
    """A link to add."""

    link: Annotated[
        str, Field(max_length=PASTE_CHARS_MAX, description="seedcast:... or magnet:..., or text around it.")
    ]


Uplinks = Callable[[], UplinkReport | None]
Ways = Callable[[StreamId], list[Progress]]


def api_router(channels: Channels, audience: Audience, uplink: Uplinks, finding: Ways) -> APIRouter:
    """Routes under /api/v1. ``finding`` tells how peers of a stream are looked for."""
    router = APIRouter(prefix="/api/v1", tags=["streams"])

    @router.get("/streams", summary="All streams, the newest first")
    async def list_streams() -> list[StreamSummary]:
        return [summarise(channel, audience) for channel in channels.all()]

    @router.get("/streams/{id}", summary="One stream and its peers")
    async def show_stream(id: str) -> StreamDetail:  # noqa: A002 - the path's name for it, in the API's terms
        channel = channels.get(id)
        channel.wait_for_key()
        return detail(channel, audience, finding(channel.stream))

    @router.get("/streams/{id}/qr.svg", summary="Its link as a QR code", response_class=SvgImage)
    async def show_code(id: str) -> SvgImage:  # noqa: A002 - the path's name for it, in the API's terms
        return SvgImage(svg_code(channels.get(id).shared))

    @router.post("/streams", status_code=201, summary="Add a stream by its link")
    async def add_stream(new: NewStream, response: Response) -> StreamSummary:
        channel = channels.add(read_link(new.link))
        response.headers["location"] = f"/api/v1/streams/{channel.name}"
        return summarise(channel, audience)

    @router.post("/streams/{id}/unlock", summary="Open a stream that is locked by a password")
    async def unlock_stream(id: str, known: Password) -> StreamSummary:  # noqa: A002 - as in the API
        channel = channels.get(id)
        await unlock(channel, known.password)
        return summarise(channel, audience)

    @router.delete("/streams/{id}", status_code=204, summary="Leave and forget a stream")
    async def remove_stream(id: str) -> None:  # noqa: A002 - the path's name for it, in the API's terms
        channels.remove(id)

    @router.get("/uplink", summary="The line towards the peers, and this month's upload")
    async def show_uplink() -> Uplink:
        report = uplink()
        if report is None:
            raise Problem(
                status=503, title="This gateway is not in the network", detail="It starts or stops; ask again."
            )
        return Uplink(**asdict(report))

    return router


ADMISSIONS: dict[Admission, Literal["link", "password", "ticket"]] = {
    Admission.LINK: "link",
    Admission.PASSWORD: "password",
    Admission.TICKET: "ticket",
}


def summarise(channel: Channel, audience: Audience) -> StreamSummary:
    """One stream's line in the list."""
    status = channel.status()
    return StreamSummary(
        id=channel.name,
        key=short_name(channel.stream),
        title=channel.title,
        link=channel.share_link,
        magnet=format_magnet(channel.shared),
        qr_url=f"/api/v1/streams/{channel.name}/qr.svg",
        hls_url=f"/live/{channel.name}/index.m3u8",
        plain_url=f"/live/{channel.name}/plain.m3u8",
        timeshift_url=f"/live/{channel.name}/timeshift/index.m3u8" if channel.shelf is not None else None,
        renditions=[info.name for info in channel.renditions],
        playing=channel.playing.name if channel.playing is not None else None,
        state=channel.state,
        admission=ADMISSIONS[channel.lock.admission] if channel.lock is not None else None,
        viewers=audience.count(channel.name),
        peers=len(status.peers) if status else 0,
        bytes_in=status.bytes_in if status else 0,
        bytes_out=status.bytes_out if status else 0,
        delay_s=status.delay_s if status else None,
        is_local=channel.is_local,
    )


def detail(channel: Channel, audience: Audience, finding: Sequence[Progress]) -> StreamDetail:
    """Everything about one stream."""
    status = channel.status()
    return StreamDetail(
        **dict(summarise(channel, audience)),
        peers_detail=[_peer(peer) for peer in status.peers] if status else [],
        finders=[Finding(**asdict(progress)) for progress in finding],
        pieces_ready=status.pieces_ready if status else 0,
        pieces_lost=status.pieces_lost if status else 0,
        pieces_broken=channel.faults.pieces_broken,
        payload_bytes=status.payload_bytes if status else 0,
        bitrate_bps=status.bitrate_bps if status else None,
        duplicates=status.duplicates if status else 0,
        equivocations=status.equivocations if status else 0,
    )


def _peer(peer: PeerStatus) -> Peer:
    return Peer(
        key=key_name(peer.key),
        address=str(peer.address),
        dialled=peer.dialled,
        bytes_in=peer.bytes_in,
        bytes_out=peer.bytes_out,
        rtt_s=peer.rtt_s,
        stripes_from=sorted(peer.stripes_from),
        stripes_to=sorted(peer.stripes_to),
        is_source=peer.is_source,
        lodging=peer.lodging,
    )


def key_name(key: PeerId) -> str:
    """A peer's key, written as a stream's is."""
    return stream_name(StreamId(key))


def read_link(text: str) -> Link:
    """Raises Problem with what is wrong with the link."""
    try:
        return find_link(text)
    except LinkError as error:
        raise Problem(status=422, title="This link cannot be read", detail=str(error)) from error
