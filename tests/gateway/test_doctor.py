"""The doctor's visit: it says what it could find out, of peers on this machine or of nobody."""

import asyncio
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from gateway.commands import doctor
from gateway.membership import quic_membership
from gateway.settings import Settings
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import RenditionInfo
from swarm.units import StreamId

OWNER = Identity(b"d" * 32)
RENDITION = RenditionInfo(number=0, name="main", bitrate_bps=500_000, piece_us=200_000, k=4, n=6, media=b"")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(doctor, "LOOK_S_MIN", 0.0)
    monkeypatch.setattr(doctor, "LOOK_S_MAX", 1.0)
    return Settings(swarm_host="127.0.0.1", data_dir=tmp_path)


def test_without_a_link_it_is_told_what_cannot_be_known(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Console(file=io.StringIO(), width=200)
    asyncio.run(doctor.run_doctor(settings, [], as_json=True, console=screen))
    found = {finding["subject"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert found["peers"]["verdict"] == "unknown"
    assert "seedcast doctor LINK" in found["peers"]["advice"]
    assert set(found) == {"peers", "IPv4", "IPv6", "router", "upload", "clock"}


def test_the_peers_of_a_link_are_asked_and_the_answer_is_for_people(settings: Settings) -> None:
    async def visit() -> str:
        screen = Console(file=io.StringIO(), width=200)
        source = quic_membership(Settings(swarm_host="127.0.0.1"), OWNER)
        await source.start()
        try:
            source.broadcast(OWNER, title="show", epoch=1, renditions=(RENDITION,))
            link = Link(StreamId(OWNER.key), "show", source.addresses)
            await doctor.run_doctor(settings, [link], as_json=False, console=screen)
        finally:
            await source.stop()
        assert isinstance(screen.file, io.StringIO)
        return screen.file.getvalue()

    text = asyncio.run(visit())
    assert "UDP works: 1 peer answered." in text
    assert "Within 0.0 s of the one peer that was asked." in text
