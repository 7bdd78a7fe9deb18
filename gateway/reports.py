"""How a running process tells another one how it goes: one JSON object a line on standard output."""

import json
from dataclasses import asdict, dataclass, fields

from swarm.link import stream_name
from swarm.status import PeerStatus, StreamStatus
from swarm.units import StreamId


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One peer that is connected with the process; ``dialled``: from there. Stripes by how many go which way.

    ``lodging``: `host` or `lodger` in one household, where the whole stream goes from the one to the other.
    """

    key: str
    address: str
    dialled: bool
    stripes_from: int
    stripes_to: int
    lodging: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How an input of one's own goes on air; ``in_bps``, ``speed`` and ``encoder_delay_s`` are None while unknown."""

    video: str
    audio: str
    fps: float
    in_bps: int | None
    out_bps: int
    gop_s: float
    speed: float | None
    frames_dropped: int
    frames_duplicated: int
    encoder_delay_s: float | None
    restarts: int
    complaint: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One stream as one process sees it, ``key`` its short name.

    Bytes since joining; ``delay_s`` from capture to whole pieces here.
    ``first_piece_s``: how long after its start the process had the first whole piece; ``longest_gap_s``: the longest
    time from one piece to the next since then, one that lasts included.
    """

    state: str
    link: str = ""
    title: str = ""
    key: str = ""
    url: str = ""
    peers: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    payload_bytes: int = 0
    pieces_ready: int = 0
    pieces_lost: int = 0
    bitrate_bps: float = 0.0
    delay_s: float | None = None
    delay_p50_s: float | None = None
    delay_p99_s: float | None = None
    broadcast: Figures | None = None
    first_piece_s: float | None = None
    longest_gap_s: float = 0.0
    neighbours: tuple[Neighbour, ...] = ()

    def to_line(self) -> str:
        return json.dumps(asdict(self))


def read_report(line: str) -> Report | None:
    """None for a line that is no report. What it says of a broadcast's input is left out."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or "state" not in values:
        return None
    known = {field.name for field in fields(Report)} - {"broadcast"}
    values["neighbours"] = tuple(Neighbour(**neighbour) for neighbour in values.get("neighbours", ()))
    return Report(**{name: value for name, value in values.items() if name in known})


def report_on(
    status: StreamStatus | None,
    *,
    state: str,
    link: str = "",
    title: str = "",
    key: str = "",
    url: str = "",
    delays_s: tuple[float, ...] = (),
    broadcast: Figures | None = None,
    first_piece_s: float | None = None,
    longest_gap_s: float = 0.0,
) -> Report:
    """A report from what the node says; ``delays_s`` are the last pieces' delays, in any order."""
    if status is None:
        return Report(state=state, link=link, title=title, key=key, url=url, broadcast=broadcast)
    return Report(
        state=state,
        link=link,
        title=title,
        key=key,
        url=url,
        peers=len(status.peers),
        bytes_in=status.bytes_in,
        bytes_out=status.bytes_out,
        payload_bytes=status.payload_bytes,
        pieces_ready=status.pieces_ready,
        pieces_lost=status.pieces_lost,
        bitrate_bps=status.bitrate_bps,
        delay_s=status.delay_s,
        delay_p50_s=quantile(delays_s, 0.5),
        delay_p99_s=quantile(delays_s, 0.99),
        broadcast=broadcast,
        first_piece_s=first_piece_s,
        longest_gap_s=longest_gap_s,
        neighbours=tuple(_neighbour(peer) for peer in status.peers),
    )


def _neighbour(peer: PeerStatus) -> Neighbour:
    return Neighbour(
        key=stream_name(StreamId(peer.key)),
        address=str(peer.address),
        dialled=peer.dialled,
        stripes_from=len(peer.stripes_from),
        stripes_to=len(peer.stripes_to),
        lodging=peer.lodging,
    )


def quantile(values: tuple[float, ...], share: float) -> float | None:
    """The smallest value that ``share`` of all values do not exceed; None of no values."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
