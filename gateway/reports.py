"""How a running process tells another one how it goes: one JSON object a line on standard output."""

import json
from dataclasses import asdict, dataclass, fields

from swarm.status import StreamStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One stream as one process sees it. Bytes since joining; ``delay_s`` from capture to whole pieces here."""

    state: str
    link: str = ""
    title: str = ""
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

    def to_line(self) -> str:
        return json.dumps(asdict(self))


def read_report(line: str) -> Report | None:
    """None for a line that is no report."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or "state" not in values:
        return None
    known = {field.name for field in fields(Report)}
    return Report(**{name: value for name, value in values.items() if name in known})


def report_on(
    status: StreamStatus | None,
    *,
    state: str,
    link: str = "",
    title: str = "",
    url: str = "",
    delays_s: tuple[float, ...] = (),
) -> Report:
    """A report from what the node says; ``delays_s`` are the last pieces' delays, in any order."""
    if status is None:
        return Report(state=state, link=link, title=title, url=url)
    return Report(
        state=state,
        link=link,
        title=title,
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
    )


def quantile(values: tuple[float, ...], share: float) -> float | None:
    """The smallest value that ``share`` of all values do not exceed; None of no values."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
