"""`seedcast broadcasts`: what the gateway that runs on this machine puts on air, as its API tells it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.errors import CannotStart
from gateway.settings import Settings
from gateway.terminal import put_out, rate, seconds

ANSWER_S = 10.0
"""Ending a broadcast waits until its ffmpeg is gone."""
ID_CHARS = 8
"""Of a stream's name; enough to tell a machine's broadcasts apart."""
WIDTH = 160
"""Of the table where no terminal has one."""
SOURCE_CHARS = 32
PATH = "/api/v1/broadcasts"


class Shown(BaseModel):
    """What the table shows of a broadcast, out of all that the API tells."""

    id: str
    kind: str
    title: str
    state: str
    source: str
    in_bps: int | None
    bitrate_bps: int
    video_codec: str
    width: int
    height: int
    copied: bool
    fps: float
    gop_s: float
    speed: float | None
    frames_dropped: int
    restarts: int
    trouble: str
    warnings: list[str]
    complaint: str


_SHOWN = TypeAdapter(list[Shown])


async def show_broadcasts(settings: Settings, *, as_json: bool, console: Console) -> None:
    """A table, or JSON. Raises CannotStart when no gateway answers."""
    async with _gateway(settings) as client:
        told = await client.get(PATH)
        reports = _read(told)
    if as_json:
        put_out(told.text)
    elif not reports:
        console.print("Nothing is on air from this gateway. Put a film on: seedcast broadcast film.mp4")
    else:
        _print(reports, console)


async def stop_broadcast(settings: Settings, beginning: str, *, console: Console) -> None:
    """End the one whose id begins so. Raises CannotStart."""
    async with _gateway(settings) as client:
        found = [report for report in _read(await client.get(PATH)) if report.id.startswith(beginning)]
        if len(found) != 1:
            what = "There is no broadcast" if not found else f"There are {len(found)} broadcasts"
            raise CannotStart(f"{what} whose id begins with {beginning}. List them: seedcast broadcasts")
        answer = await client.delete(f"{PATH}/{found[0].id}")
        if answer.status_code not in (204, 404):
            raise CannotStart(f"The gateway did not end it: {answer.text}")
    console.print(f"{escape(found[0].title)} has ended.")


@asynccontextmanager
async def _gateway(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    base_url = f"http://localhost:{settings.port}"
    try:
        async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_S, trust_env=False) as client:
            yield client
    except httpx.HTTPError as error:
        raise CannotStart(
            f"No gateway answers at {base_url}. Start one (seedcast gateway), or give its --port."
        ) from error


def _read(answer: httpx.Response) -> list[Shown]:
    try:
        return _SHOWN.validate_json(answer.content)
    except ValidationError as error:
        raise CannotStart(f"What answers at {answer.url} is not this Seedcast. Give another --port.") from error


def _print(reports: list[Shown], console: Console) -> None:
    table = Table(
        "id", "title", "state", "from", "in", "out", "picture", "fps", "key frames", "speed", "dropped", "anew",
        box=None, header_style="dim", pad_edge=False,
    )  # fmt: skip
    for report in reports:
        table.add_row(*map(escape, _row(report)))
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)
    for report in reports:
        said = [report.trouble, *report.warnings, f"ffmpeg says: {report.complaint}" if report.complaint else ""]
        for sentence in filter(None, said):
            console.print(f"{report.id[:ID_CHARS]}: {sentence}", markup=False)


def _row(report: Shown) -> tuple[str, ...]:
    coded = "copied" if report.copied else "encoded"
    picture = f"{report.video_codec.partition('.')[0]} {report.width}x{report.height} {coded}" if report.width else "-"
    return (
        report.id[:ID_CHARS],
        report.title,
        report.state,
        f"key {report.source}" if report.kind == "push" else _end(report.source),
        rate(report.in_bps),
        rate(report.bitrate_bps),
        picture,
        f"{report.fps:g}",
        seconds(report.gop_s or None),
        "-" if report.speed is None else f"{report.speed:.2f}",
        str(report.frames_dropped),
        str(report.restarts),
    )


def _end(source: str) -> str:
    """A path's last letters say the most."""
    return source if len(source) <= SOURCE_CHARS else f"…{source[1 - SOURCE_CHARS :]}"
