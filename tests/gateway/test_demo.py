"""The demonstration's processes: started in order, watched over, and never left behind, however it ends."""

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.demo.supervisor import ENVIRONMENT, Demo, Plan
from gateway.demo.view import line, table
from gateway.settings import Settings, load_settings
from gateway.terminal import new_console

ENDED_WITHIN_S = 15.0


@contextmanager
def demonstration(folder: Path, *, viewers: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``seedcast demo`` as a user starts it, and the URL that it prints once there is a picture."""
    environment = {
        **os.environ,
        "SEEDCAST_DATA_DIR": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "SEEDCAST_SWARM_HOST": "127.0.0.1",
    }
    arguments = ["demo", "--no-browser", "--port", "0", "--viewers", str(viewers)]
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert re.fullmatch(r"http://localhost:\d+", url), process.communicate()[1]
            yield process, url
        finally:
            process.kill()


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, with their command lines."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended while we looked
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            waiting.append(child)
    return found


def all_end(handles: list[int]) -> bool:
    """Wait until every process behind these pidfds has ended."""
    waiting = list(handles)
    while waiting:
        ended, _, _ = select.select(waiting, [], [], ENDED_WITHIN_S)
        if not ended:
            return False
        waiting = [handle for handle in waiting if handle not in ended]
    return True


@pytest.mark.e2e
@pytest.mark.alongside
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_demonstration(tmp_path: Path, number: signal.Signals) -> None:
    with demonstration(tmp_path, viewers=1) as (process, _):
        below = descendants(process.pid)
        assert sum("-m gateway" in command for command in below.values()) == 3
        assert any("ffmpeg" in command for command in below.values())
        handles = [os.pidfd_open(pid) for pid in below]
        try:
            process.send_signal(number)
            assert all_end(handles)
        finally:
            for handle in handles:
                os.close(handle)
        expected = -signal.SIGKILL if number is signal.SIGKILL else 0
        assert process.wait() == expected


@pytest.mark.e2e
@pytest.mark.alongside
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by /proc")
def test_a_dead_relay_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    with demonstration(tmp_path, viewers=2) as (process, url):
        (stream,) = httpx.get(f"{url}/api/v1/streams", trust_env=False).json()
        relay = next(pid for pid, command in descendants(process.pid).items() if " relay " in command)
        os.kill(relay, signal.SIGKILL)
        assert process.stderr is not None
        said = next(text for text in process.stderr if "has ended" in text)
        assert re.search(r"relay [12] has ended \(signal 9\); the others go on", said)
        media = f"{url}/live/{stream['id']}"
        newest = max(map(int, re.findall(r"(\d+)\.m4s", httpx.get(f"{media}/plain.m3u8", trust_env=False).text)))
        later = httpx.get(f"{media}/muxed.m3u8?_HLS_msn={newest + 2}", trust_env=False, timeout=20)
        assert f"{newest + 2}.m4s" in later.text
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def test_nothing_that_is_started_for_a_demonstration_or_a_test_asks_anybody_for_peers() -> None:
    for name, off in {"trackers": "", "dht": "false", "lan": "false"}.items():
        assert ENVIRONMENT[f"SEEDCAST_{name.upper()}"] == off
        assert not getattr(load_settings(), name)
        assert Settings.model_fields[name].default


def test_the_view_of_a_demonstration_that_has_not_begun() -> None:
    async def show() -> str:
        plan = Plan(source="test", viewers=6, host="127.0.0.1", port=8080, url="http://localhost:8080")
        demo = Demo(plan, tell=print)
        console = new_console()
        with console.capture() as shown:
            console.print(table(demo))
        assert "asking the gateway" in line(demo)
        return shown.get()

    assert "http://localhost:8080" in asyncio.run(show())
