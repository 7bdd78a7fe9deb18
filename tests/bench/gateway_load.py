"""What many players cost the gateway, and what the past costs in memory: the part of ``make bench-gateway`` on HTTP."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import m3u8

SETTLE_S = 3.0
"""The first seconds of a crowd, in which all connect, are not counted."""
FILL_S = 1860.0

NGINX_CONFIG = """
{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }}
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


@dataclass
class Server:
    """A gateway in a process of its own, and when it was given each part."""

    port: int
    name: str
    pid: int
    folder: Path
    given_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a crowd has seen, and what it cost: seconds, cores, Mbit/s.

    ``cpu_s`` and ``size_bytes`` are of the whole time, connecting included: their quotient holds on a busy machine too.
    """

    late_s: list[float]
    reply_s: list[float]
    took_s: list[float]
    faults: list[str]
    cores: float
    mbit_s: float
    cpu_s: float
    lasted_s: float
    size_bytes: int

    def cpu_s_a_gigabyte(self, idle_cores: float) -> float:
        """What serving took, without what the server does anyway."""
        return (self.cpu_s - idle_cores * self.lasted_s) / (self.size_bytes / 1e9)


@contextmanager
def gateway_process(*, bitrate_bps: int, fill_s: float = 0.0) -> Iterator[Server]:
    """Serves once this is entered."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "tests.bench.gateway_source", name]
        command += ["--bitrate", str(bitrate_bps), "--fill", str(fill_s)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            words = process.stdout.readline().split()
            if len(words) != 2:
                raise SystemExit("The gateway did not start.")
            server = Server(int(words[0]), words[1], process.pid, Path(name))
            reading = threading.Thread(target=_read, args=(process.stdout, server.given_s), daemon=True)
            reading.start()
            yield server
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def nginx_process(server: Server) -> Iterator[Server]:
    """nginx on the files that the gateway's process writes. Raises SystemExit where it is not installed."""
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        raise SystemExit("No nginx to compare with: apt install nginx-light.")
    port = server.port + 1 if server.port < 65000 else server.port - 1
    user = "user root; " if os.geteuid() == 0 else ""  # the folder is readable by its owner alone
    config = server.folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=server.folder, port=port, user=user))
    process = subprocess.Popen([path, "-c", str(config), "-e", str(server.folder / "error.log")])
    try:
        _wait_for(f"http://127.0.0.1:{port}/live/{server.name}/plain.m3u8")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Server(port, server.name, int(children[0]), server.folder, server.given_s)
    finally:
        process.terminate()
        process.wait(10)


def measure(server: Server, kind: str, players: int, seconds: float) -> Load:
    """A crowd for so long; the processor's time is that of the server alone, without the first seconds."""
    command = [sys.executable, "-m", "tests.bench.gateway_players", kind, str(server.port), server.name]
    command += ["--players", str(players), "--seconds", str(seconds + SETTLE_S)]
    first_cpu_s, first_s = cpu_s(server.pid), time.time()
    crowd = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(SETTLE_S)
    before_s, began_s = cpu_s(server.pid), time.time()
    time.sleep(seconds - 1.0)
    cores = (cpu_s(server.pid) - before_s) / (time.time() - began_s)
    output, _ = crowd.communicate(timeout=60)
    whole_cpu_s, lasted_s = cpu_s(server.pid) - first_cpu_s, time.time() - first_s
    seen = json.loads(output.splitlines()[-1])
    since_s = began_s

    def delays(times: dict[str, list[float]]) -> list[float]:
        given = {place: moment for place, moment in server.given_s.items() if moment >= since_s}
        return [moment - given[place] for place, moments in times.items() if place in given for moment in moments]

    return Load(
        late_s=delays(seen["received"]),
        reply_s=delays(seen["replies"]),
        took_s=seen["took_s"],
        faults=seen["faults"],
        cores=cores,
        mbit_s=seen["size"] * 8e-6 / (seconds + SETTLE_S),
        cpu_s=whole_cpu_s,
        lasted_s=lasted_s,
        size_bytes=seen["size"],
    )


def idle_cores(server: Server, seconds: float = 5.0) -> float:
    """What the gateway takes without players: the pieces that come."""
    before_s, began_s = cpu_s(server.pid), time.time()
    time.sleep(seconds)
    return (cpu_s(server.pid) - before_s) / (time.time() - began_s)


def measure_memory(bitrate_bps: int) -> dict[str, float]:
    """Resident megabytes with half an hour behind it, after a player has looked all over it."""
    with gateway_process(bitrate_bps=bitrate_bps, fill_s=FILL_S) as server:
        base = f"http://127.0.0.1:{server.port}/live/{server.name}/timeshift/"
        with httpx.Client(base_url=base, trust_env=False, timeout=30) as player:
            playlist = m3u8.loads(player.get("window.m3u8").raise_for_status().text)
            for segment in playlist.segments[:: max(1, len(playlist.segments) // 60)]:
                player.get(segment.uri).raise_for_status()
        time.sleep(5)
        window_s = sum(segment.duration for segment in playlist.segments)
        return {
            "memory_window_s": window_s,
            "memory_mb": _memory_mb(server.pid, "VmRSS"),
            "memory_most_mb": _memory_mb(server.pid, "VmHWM"),
        }


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process's living threads have used, to the nanosecond: ticks miss short turns."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _memory_mb(pid: int, name: str) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024 / 1e6


def _read(lines: Iterator[str], given_s: dict[str, float]) -> None:
    for line in lines:
        msn, part, moment = line.split()
        given_s[f"{msn}.{part}"] = float(moment)


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            httpx.get(url, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} does not answer.")
