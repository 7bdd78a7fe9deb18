"""An opentracker of the system, on loopback, for one stream."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_from_bytes

import httpx

from tests.conftest import need_program

READY_S = 10.0
LOOK_EVERY_S = 0.02


@contextmanager
def opentracker(folder: Path, target: bytes) -> Iterator[int]:
    """Its port for TCP and UDP, while it runs. Debian's serves listed targets only, and as root goes into its folder
    and becomes nobody."""
    program = need_program("opentracker")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.chmod(0o755)
    (folder / "whitelist").write_text(target.hex() + "\n")
    config = folder / "opentracker.conf"
    config.write_text(f"listen.tcp_udp 127.0.0.1:{port}\naccess.whitelist whitelist\n")
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([program, "-f", config, "-d", folder], cwd=folder, stdout=quiet, stderr=quiet)
    try:
        _wait(port, target)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, target: bytes) -> None:
    """Until it listens and has read its list; it tells nobody when that is."""
    query = f"info_hash={quote_from_bytes(target)}&peer_id={'-' * 20}&port=1&left=0&event=stopped&compact=1"
    until_s = time.monotonic() + READY_S
    while time.monotonic() < until_s:
        try:
            if b"failure" not in httpx.get(f"http://127.0.0.1:{port}/announce?{query}", trust_env=False).content:
                return
        except httpx.TransportError:
            pass
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError("opentracker does not start")
