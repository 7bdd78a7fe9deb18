"""The command line: help that can be read, keys, and exit code 2 with a sentence for everything that cannot be."""

import asyncio
import re
import shlex
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli import CANNOT_START, main
from gateway.commands.watch import add_to_running_gateway
from gateway.errors import CannotStart
from gateway.serving import run
from swarm.link import Link, format_link, format_magnet, parse_link
from swarm.units import Address, StreamId

COMMANDS = (
    *("", "gateway", "watch", "broadcast", "relay", "record", "demo"),
    *("keys", "keys add", "broadcasts", "broadcasts stop"),
)
LINK = format_link(Link(StreamId(bytes(range(32))), "A film", (Address("127.0.0.1", 9),)))


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEEDCAST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SEEDCAST_SWARM_HOST", "127.0.0.1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which something listens that never answers."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def seedcast(line: str) -> int:
    """Run a command line in this process; its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(line))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert seedcast(f"{command} --help") == 0
    assert "Usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("watch seedcast:short", "This link cannot be read: a stream's name has 52"),
        ("relay http://example.org", "there is no link in this text"),
        ("gateway --port 0 --link nonsense", "The link nonsense cannot be read"),
        ("gateway --config /no/such/file", "no settings file"),
        ("gateway --log-level loud", "log_level"),
        ("gateway --host 192.0.2.1", "Choose another one by --host"),
        ("broadcast /no/such/film.mp4", "There is no file /no/such/film.mp4"),
        ("broadcast /", "/ has no film that can be played"),
        (f"broadcast test --title {'a' * 300}", "This title cannot be used"),
        (f"record {shlex.quote(LINK)} film.avi", "must end in .mp4 or .ts"),
        (f"record {shlex.quote(LINK)} /no/such/folder/film.mp4", "There is no folder"),
        ("broadcasts --port 9", "No gateway answers at http://localhost:9"),
        ("broadcasts stop abc --port 9", "seedcast gateway"),
        ("keys remove nobody", "There is no key named nobody"),
        ("demo --host 192.0.2.1", "Choose another one by --host"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert seedcast(line) == CANNOT_START
    error = capsys.readouterr().err
    assert error.startswith("seedcast: ")
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["gateway", "demo --no-browser", "broadcast test --new-key"])
def test_a_port_in_use_names_the_option(command: str, taken_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert seedcast(f"{command} --port {taken_port}") == CANNOT_START
    said = capsys.readouterr()
    assert f"Port {taken_port} on 127.0.0.1 is in use. Choose another one: --port" in said.err
    assert said.out == ""


def test_a_swarm_port_in_use_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("SEEDCAST_SWARM_PORT", str(taken.getsockname()[1]))
        assert seedcast(f"relay {shlex.quote(LINK)}") == CANNOT_START
    assert "swarm_port" in capsys.readouterr().err


def test_an_input_that_is_no_video_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "film.mp4"
    path.write_text("no film\n" * 100)
    assert seedcast(f"broadcast {path} --new-key") == CANNOT_START
    said = capsys.readouterr()
    assert "cannot be read" in said.err
    assert said.out == ""


def test_no_usable_ffmpeg_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    assert seedcast("broadcast test --new-key") == CANNOT_START
    assert "ffmpeg" in capsys.readouterr().err


def test_a_missing_player_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert seedcast(f"watch --player mpv {shlex.quote(LINK)}") == CANNOT_START
    assert "mpv is not installed" in capsys.readouterr().err


def test_a_data_folder_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEEDCAST_DATA_DIR", str(tmp_path / "file"))
    assert seedcast("gateway --port 0") == CANNOT_START
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_key_is_printed_once_with_the_command_that_uses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seedcast("keys add bob --title 'Bob TV' --days 3") == 0
    made = capsys.readouterr()
    key = made.out.strip()
    assert re.fullmatch(r"[0-9a-f]{32}", key)
    assert f"-f mpegts http://localhost:8080/ingest/{key}" in made.err
    (path,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert seedcast("keys list") == 0
    listed = capsys.readouterr()
    assert "Bob TV" in listed.err
    assert key not in listed.err + listed.out

    assert seedcast("keys add bob") == CANNOT_START
    assert seedcast("keys remove bob") == 0
    capsys.readouterr()
    assert seedcast("keys list") == 0
    assert "keys add NAME" in capsys.readouterr().err


def test_a_pasted_link_is_shown_in_both_its_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert seedcast(f"link {shlex.quote(f'Watch {LINK}, it is great.')}") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [LINK, format_magnet(parse_link(LINK))]
    assert "A film (aaaq-eaye-auda): 1 peer" in shown.err


def test_watch_tells_what_else_answers_on_the_port(tmp_path: Path) -> None:
    async def ask() -> None:
        async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(CannotStart, match="not Seedcast"):
                await add_to_running_gateway(f"http://127.0.0.1:{port}", parse_link(LINK))

    run(ask())
