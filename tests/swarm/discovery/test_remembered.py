"""Peers for the next start: kept, bounded, and of no harm when the file is damaged."""

from pathlib import Path

import pytest

from swarm.discovery.remembered import PEERS_MAX, STREAMS_MAX, Remembered
from swarm.units import Address, StreamId

STREAM = StreamId(b"s" * 32)
PEERS = (Address("192.0.2.7", 4000), Address("2001:db8::7", 4001))


def test_who_was_there_is_known_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "data" / "peers.json"
    first = Remembered(path)
    assert first.peers(STREAM) == ()
    assert first.note(STREAM, PEERS)
    first.write()
    assert Remembered(path).peers(STREAM) == PEERS
    assert path.stat().st_mode & 0o077 == 0
    assert STREAM.hex() not in path.read_text()


def test_the_same_again_and_nobody_is_no_news(tmp_path: Path) -> None:
    peers = Remembered(tmp_path / "peers.json")
    assert peers.note(STREAM, [*PEERS, Address("fe80::1%eth0", 4000)])
    assert not peers.note(STREAM, reversed(PEERS))
    assert not peers.note(STREAM, ())
    assert peers.peers(STREAM) == PEERS


def test_the_streams_used_last_are_kept_and_few_peers_of_each(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    peers = Remembered(path)
    streams = [StreamId(number.to_bytes(32, "big")) for number in range(STREAMS_MAX + 1)]
    for stream in streams:
        peers.note(stream, [Address("192.0.2.7", port) for port in range(1, 100)])
    peers.write()
    again = Remembered(path)
    assert again.peers(streams[0]) == ()
    assert all(len(again.peers(stream)) == PEERS_MAX for stream in streams[1:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "streams": {}}',
        '{"version": 1, "streams": []}',
        '{"version": 1, "streams": {"a": 5}}',
        '{"version": 1, "streams": {"a": ["no address"]}}',
        '{"version": 1, "streams": {"a": [7]}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_counts_as_empty(text: str, tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_text(text)
    peers = Remembered(path)
    assert peers.peers(STREAM) == ()
    peers.note(STREAM, PEERS)
    peers.write()
    assert Remembered(path).peers(STREAM) == PEERS


def test_a_full_disk_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "peers.json").mkdir()
    peers = Remembered(tmp_path / "peers.json")
    peers.note(STREAM, PEERS)
    peers.write()
    peers.write()
    assert len(caplog.records) == 1
