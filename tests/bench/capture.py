"""``make capture``: what a wire between two machines shows of a broadcast, and what a gateway says that nobody uses.

Two network namespaces with a cable between them stand for two machines; it takes root, and Linux. First a gateway with
the settings as they come runs on one of them, and nobody opens a stream: no packet may leave. Then one broadcasts and
the other watches: all packets are kept, searched for the title and the marks of media, and their destinations counted.
The last line is one JSON object.
"""

import argparse
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

A, B = "seedcast-a", "seedcast-b"
HOSTS = {A: "10.77.0.1", B: "10.77.0.2"}
TITLE = "A title that nobody on the way may read"
MARKS = (b"moof", b"mdat", b"ftyp", b"avc1", TITLE.encode())
ALL_PROTOCOLS = 3
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
PROTOCOLS = {6: "tcp", 17: "udp"}
PACKET_BYTES = 65_535
QUIET_S = 8.0
REPORTS = 12
CLOSED = {"TRACKERS": "", "DHT": "false", "LAN": "false", "REMEMBER_PEERS": "false"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def cable() -> Iterator[None]:
    """Two namespaces, each with the other one as its way to everywhere."""
    with ExitStack() as stack:
        for name in (A, B):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
        ip("link", "add", "cable", "netns", A, "type", "veth", "peer", "name", "cable", "netns", B)
        for name, host in HOSTS.items():
            ip("-n", name, "address", "add", f"{host}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")
            other = next(far for far in HOSTS.values() if far != host)
            ip("-n", name, "route", "add", "default", "via", other)
        yield


@contextmanager
def process(name: str, folder: Path, *words: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m`` something in a namespace."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SEEDCAST_")}
    environment |= {f"SEEDCAST_{key}": value for key, value in settings.items()}
    environment["SEEDCAST_DATA_DIR"] = str(folder / name)
    running = subprocess.Popen(
        ["ip", "netns", "exec", name, sys.executable, "-m", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()


def listen(file: Path) -> None:
    """Write what passes the cable, until interrupted: each packet behind its length."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as tap, file.open("wb") as kept:
        tap.bind(("cable", 0))
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        print("listening", flush=True)
        try:
            while True:
                packet = tap.recv(PACKET_BYTES)
                kept.write(struct.pack("!I", len(packet)) + packet)
        except KeyboardInterrupt:
            return


@contextmanager
def listening(file: Path) -> Iterator[None]:
    """While packets are kept."""
    with process(A, file.parent, "tests.bench.capture", "--listen", str(file)) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield


def packets(file: Path) -> Iterator[bytes]:
    """All that were kept, as Ethernet frames."""
    data = file.read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("!I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def destination(frame: bytes) -> str:
    """Protocol and address that a packet of UDP or TCP goes to; empty for what the system itself says, such as ARP."""
    kind, protocol, host = frame[12:14], 0, ""
    if kind == IPV4:
        protocol, host = frame[23], socket.inet_ntop(socket.AF_INET, frame[30:34])
    elif kind == IPV6:
        protocol, host = frame[20], socket.inet_ntop(socket.AF_INET6, frame[38:54])
    return f"{PROTOCOLS[protocol]} {host}" if protocol in PROTOCOLS else ""


def quiet(folder: Path) -> dict[str, int]:
    """Where packets go while a gateway with the settings as they come has nothing to do."""
    file = folder / "quiet"
    words = ("gateway", "gateway", "--port", "0", "--log-level", "error")
    with listening(file), process(A, folder, *words):
        time.sleep(QUIET_S)
    return dict(Counter(filter(None, map(destination, packets(file)))))


def broadcast(folder: Path) -> dict[str, object]:
    """What passes while one broadcasts and the other watches."""
    file = folder / "broadcast"
    send = ("gateway", "broadcast", "test", "--title", TITLE, "--json")
    with listening(file), process(A, folder, *send, **CLOSED) as source:
        assert source.stdout is not None
        link = json.loads(source.stdout.readline())["link"]
        with process(B, folder, "gateway", "relay", link, "--json", **CLOSED) as viewer:
            assert viewer.stdout is not None
            reports = [json.loads(viewer.stdout.readline()) for _ in range(REPORTS)]  # one a second
    frames = list(packets(file))
    return {
        "packets": len(frames),
        "bytes": sum(map(len, frames)),
        "pieces": reports[-1].get("pieces_ready"),
        "marks_seen": [mark.decode() for mark in MARKS if any(mark in frame for frame in frames)],
        "destinations": dict(Counter(filter(None, map(destination, frames)))),
    }


def main() -> None:
    """Read options, capture, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.listen is not None:
        listen(options.listen)
        return
    with tempfile.TemporaryDirectory() as name, cable():
        folder = Path(name)
        print(json.dumps({"quiet": quiet(folder), "broadcast": broadcast(folder)}))


if __name__ == "__main__":
    main()
