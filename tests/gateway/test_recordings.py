"""Recordings by request: begun and ended through the API, in the gateway's own folder alone."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gateway import problems, recordings
from gateway.channels import Channels
from gateway.ingest.slicer import SlicedPiece
from gateway.live.transport import TransportStreams
from gateway.media.payload import pack
from gateway.on_air import Studio
from gateway.recordings import Recordings
from gateway.routes.recordings import recordings_router
from swarm.drivers.memory import MemoryNet
from swarm.identity import Identity
from swarm.link import stream_name
from swarm.units import StreamId
from tests.gateway.media_fixture import CAPTURE_US, PIECE_US, slices, stream
from tests.gateway.memory_swarm import MemorySwarm

OWNER = Identity(b"owner".ljust(32, b"."))
NAME = stream_name(StreamId(OWNER.key))
Scene = Callable[[httpx.AsyncClient, Channels, Recordings], Awaitable[None]]


def play(folder: Path, scene: Scene) -> None:
    """A gateway that broadcasts four seconds of film, all of them here already."""

    async def main() -> None:
        net = MemoryNet("recordings")
        swarm = MemorySwarm(net, "gateway")
        channels = Channels(swarm, window_s=24, idle_leave_s=30, clock=lambda: net.now)
        on_air = Studio(swarm, channels).open(OWNER, "A film", lambda: 500_000)
        on_air.description(7, stream().renditions)
        for number, piece in enumerate(slices(stream()), 1000):
            on_air.piece(
                SlicedPiece(
                    number=number,
                    epoch=7,
                    key=piece.index == 0,
                    capture_us=CAPTURE_US + number * PIECE_US,
                    duration_us=PIECE_US,
                    payloads=(pack(piece),),
                )
            )
        kept = Recordings(folder / "recordings", channels, TransportStreams(1.0))
        app = FastAPI()
        problems.install(app)
        app.include_router(recordings_router(kept))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost/api/v1") as api:
            await scene(api, channels, kept)
        await kept.close()

    asyncio.run(main())


async def until(api: httpx.AsyncClient, id: str, done: Callable[[dict[str, object]], bool]) -> dict[str, object]:  # noqa: A002
    async with asyncio.timeout(60):
        while not done(report := (await api.get(f"recordings/{id}")).json()):  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(0)
    return dict(report)


@pytest.mark.parametrize("form", ["mp4", "ts"])
def test_a_recording_is_begun_told_of_and_ended(tmp_path: Path, form: str) -> None:
    async def scene(api: httpx.AsyncClient, channels: Channels, kept: Recordings) -> None:
        begun = await api.post("recordings", json={"stream": NAME, "format": form})
        assert begun.status_code == 201
        id = begun.json()["id"]  # noqa: A001 - as in the API
        assert begun.headers["location"] == f"/api/v1/recordings/{id}"
        running = await until(api, id, lambda report: bool(report["seconds"]))
        assert running["state"] == "running"
        stopped = (await api.delete(f"recordings/{id}")).json()
        assert (stopped["state"], stopped["trouble"]) == ("stopped", "")
        (file,) = map(Path, stopped["files"])
        assert file.parent == tmp_path / "recordings"
        assert file.suffix == f".{form}"
        assert file.stat().st_size == stopped["size_bytes"] > 0
        assert [report["id"] for report in (await api.get("recordings")).json()] == [id]
        assert (await api.delete(f"recordings/{id}")).json() == stopped

    play(tmp_path, scene)


def test_a_broadcast_that_ends_ends_its_recording(tmp_path: Path) -> None:
    async def scene(api: httpx.AsyncClient, channels: Channels, kept: Recordings) -> None:
        id = (await api.post("recordings", json={"stream": NAME})).json()["id"]  # noqa: A001
        await until(api, id, lambda report: bool(report["seconds"]))
        channels.get(NAME).end()
        await until(api, id, lambda report: report["state"] == "ended")

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"stream": "a" * 52}, 404),
        ({"stream": "../../etc/passwd"}, 404),
        ({"stream": NAME, "format": "avi"}, 422),
        ({"stream": NAME, "format": "../mp4"}, 422),
        ({"stream": "a" * 101}, 422),
        ({}, 422),
    ],
)
def test_what_cannot_be_recorded_leaves_no_trace(tmp_path: Path, asked: dict[str, str], status: int) -> None:
    async def scene(api: httpx.AsyncClient, channels: Channels, kept: Recordings) -> None:
        answer = await api.post("recordings", json=asked)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert list(tmp_path.rglob("*")) == []  # noqa: ASYNC240
        assert (await api.get("recordings/none")).status_code == 404

    play(tmp_path, scene)


def test_only_so_many_run_at_once_and_the_ended_are_forgotten_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "RUNNING_MAX", 2)
    monkeypatch.setattr(recordings, "KNOWN_MAX", 2)

    async def scene(api: httpx.AsyncClient, channels: Channels, kept: Recordings) -> None:
        first, second = [(await api.post("recordings", json={"stream": NAME})).json()["id"] for _ in range(2)]
        assert first != second
        refused = await api.post("recordings", json={"stream": NAME})
        assert (refused.status_code, "DELETE" in refused.json()["detail"]) == (507, True)
        await api.delete(f"recordings/{first}")
        third = (await api.post("recordings", json={"stream": NAME})).json()["id"]
        assert [report["id"] for report in (await api.get("recordings")).json()] == [third, second]

    play(tmp_path, scene)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("in the way")

    async def scene(api: httpx.AsyncClient, channels: Channels, kept: Recordings) -> None:
        assert (await api.post("recordings", json={"stream": NAME})).status_code == 500

    play(tmp_path, scene)
