"""What stands in the net for finding peers: an opentracker, and nodes of the DHT, each in a house of its own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import need_program
from tests.network.dht_node import PORT as DHT_PORT
from tests.network.namespaces import inside
from tests.network.sites import Bed, Site

TRACKER = Site(name="tracker", number=20)
TRACKER_PORT = 6969
DHT_HOUSES = [Site(name=f"node-{number}", number=number) for number in range(21, 29)]
"""Their addresses lie far apart: nodes trust few that are near each other."""


def tracker_url(scheme: str) -> str:
    return f"{scheme}://{TRACKER.outer_host}:{TRACKER_PORT}/announce"


def dht_places() -> list[str]:
    """Where its nodes are, as host:port."""
    return [f"{site.outer_host}:{DHT_PORT}" for site in DHT_HOUSES]


BY_DHT = {"SEEDCAST_DHT": "true", "SEEDCAST_DHT_BOOTSTRAP": ",".join(dht_places()[:3])}
EVERYWHERE = {"SEEDCAST_TRACKERS": tracker_url("udp"), **BY_DHT}
"""Settings by which they are asked."""


@contextmanager
def opentracker(bed: Bed, folder: Path, target: bytes) -> Iterator["subprocess.Popen[bytes]"]:
    """It runs, for one stream, over HTTP and UDP. As root it goes into its folder and becomes nobody."""
    folder.mkdir(mode=0o755)
    folder.parent.chmod(0o755)
    (folder / "whitelist").write_text(target.hex() + "\n")
    config = folder / "opentracker.conf"
    config.write_text(f"listen.tcp_udp {TRACKER.outer_host}:{TRACKER_PORT}\naccess.whitelist whitelist\n")
    command = [*inside(bed.hosts[TRACKER.name]), need_program("opentracker"), "-f", str(config), "-d", str(folder)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def dht(bed: Bed) -> Iterator[None]:
    """All nodes run, each entered by those before it."""
    with ExitStack() as stack:
        for number, site in enumerate(DHT_HOUSES):
            stack.enter_context(_node(bed.hosts[site.name], site.outer_host, dht_places()[:number]))
        yield


@contextmanager
def _node(space: str, host: str, nodes: Sequence[str]) -> Iterator[None]:
    command = [*inside(space), sys.executable, "-m", "tests.network.dht_node", host, ",".join(nodes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if (word := process.stdout.readline()) != "ready\n":
                raise RuntimeError(f"no node of the DHT at {host}: {word}")
            yield
        finally:
            process.stdin.close()
