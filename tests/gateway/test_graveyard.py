"""What was ended for good stays so after a restart, and a stream ends wherever it is carried."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from typer.testing import CliRunner

from gateway.app import Gateway, streams_folder, tombstones_folder
from gateway.broadcasts import key_path
from gateway.cli import app
from gateway.graveyard import Graveyard
from gateway.ingest.keys import IngestKeys
from gateway.ingest.slicer import SlicedPiece
from gateway.key_files import open_key
from gateway.problems import Problem
from swarm.identity import Identity
from swarm.link import Link, format_link, stream_name, stream_target
from swarm.tombstone import sign_tombstone
from swarm.units import StreamId
from tests.gateway.media_fixture import stream
from tests.gateway.test_app import OWNER, STREAM, put_on_air, settings, with_gateway

STONE = sign_tombstone(OWNER, 1_700_000_000_000_000, "moved house")


def test_a_tombstone_is_kept_once_and_found_once(tmp_path: Path) -> None:
    yard = Graveyard(tmp_path / "yard")
    assert yard.look() == []
    Graveyard(tmp_path / "yard").store(STONE)
    assert yard.look() == [STONE]
    assert yard.look() == []
    yard.put(STONE)
    assert Graveyard(tmp_path / "yard").look() == [STONE]


def test_what_is_no_tombstone_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.tombstone").write_bytes(b"x" * 5000)
    (tmp_path / "b.tombstone").write_bytes(STONE.data[:-1] + b"\x00")
    (tmp_path / "c.txt").write_bytes(STONE.data)
    assert Graveyard(tmp_path).look() == []
    assert caplog.text.count("is no tombstone") == 2


def test_a_full_disk_loses_no_more_than_the_memory_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.private_files.tempfile.mkstemp", fail)
    Graveyard(tmp_path).put(STONE)
    assert "No space left" in caplog.text


def test_a_gateway_ends_what_is_on_air_and_tells_players_so_also_after_a_restart(tmp_path: Path) -> None:
    name = stream_name(STREAM)

    async def work(gateway: Gateway, client: httpx.AsyncClient) -> None:
        put_on_air(gateway, 6)
        assert (await client.get(f"/live/{name}/index.m3u8")).status_code == 200
        Graveyard(tombstones_folder(gateway.settings)).store(STONE)
        while gateway.membership.status(STREAM, 0) is not None:  # noqa: ASYNC110 - the look has no event
            await asyncio.sleep(0.02)
        answer = await client.get(f"/live/{name}/plain.m3u8")
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:seedcast:problem:gone")
        assert "moved house" in answer.json()["detail"]
        scrape = f"info_hash={quote(stream_target(STREAM))}".encode()
        assert gateway.tracker.scrape(scrape, "127.0.0.1") == b"d5:filesdee", "its own tracker leads nobody there"
        with pytest.raises(Problem, match="for good"):
            gateway.studio.open(OWNER, "News", lambda: 500_000)

    with_gateway(settings(tmp_path), work)

    async def again(gateway: Gateway, client: httpx.AsyncClient) -> None:
        answer = await client.post("/api/v1/streams", json={"link": format_link(Link(STREAM))})
        assert answer.status_code == 410

    with_gateway(settings(tmp_path), again)


def test_pieces_after_the_end_go_nowhere(tmp_path: Path) -> None:
    async def work(gateway: Gateway, _: httpx.AsyncClient) -> None:
        on_air = gateway.studio.open(OWNER, "News", lambda: 500_000)
        on_air.description(7, stream().renditions)
        gateway.membership.bury(STONE)
        assert on_air.buried.is_set()
        on_air.piece(SlicedPiece(number=1, epoch=7, key=True, capture_us=0, duration_us=1, payloads=(b"late",)))
        assert gateway.membership.status(STREAM, 0) is None

    with_gateway(settings(tmp_path), work)


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner(env={"SEEDCAST_DATA_DIR": str(folder)}).invoke(app, list(words))
    return done.exit_code, done.output + str(done.exception or "")


def test_a_stream_is_ended_by_its_title_when_that_is_meant(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    key = open_key(key_path(streams_folder(chosen), "My film"))
    code, said = run(tmp_path, "end", "My film")
    assert (code, "Nothing was done" in said) == (1, True), said
    assert Graveyard(tombstones_folder(chosen)).look() == []
    code, said = run(tmp_path, "end", "My film", "--yes", "--reason", "moved")
    assert code == 0, said
    assert "no way back" in said
    (stone,) = Graveyard(tombstones_folder(chosen)).look()
    assert (stone.stream, stone.reason) == (StreamId(key.identity.key), "moved")
    key.close()
    assert run(tmp_path, "end", "Another film", "--yes")[0] == 1


def test_a_keys_stream_is_ended_with_the_key(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    entry = IngestKeys(tmp_path / "ingest-keys.json").add("studio")
    assert run(tmp_path, "keys", "remove", "studio", "--end-stream")[0] == 1
    assert IngestKeys(tmp_path / "ingest-keys.json").entries == (entry,), "not meant, so not removed either"
    code, said = run(tmp_path, "keys", "remove", "studio", "--end-stream", "--yes")
    assert code == 0, said
    (stone,) = Graveyard(tombstones_folder(chosen)).look()
    assert stone.stream == StreamId(Identity(entry.seed).key)
    assert IngestKeys(tmp_path / "ingest-keys.json").entries == ()
