"""Network namespaces of Linux: small machines that share this one's kernel, files and clock, but no network.

They need root, iproute2 and nftables. Their names begin with this process's number, and all are deleted at the end.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

PROGRAMS = ("ip", "nft")


def what_is_missing() -> str | None:
    """Why there can be no namespaces here; None when there can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no {' and no '.join(missing)}: apt install iproute2 nftables"
    if os.geteuid() != 0:
        return "namespaces need root"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return None if made.returncode == 0 else "this machine lets nobody make network namespaces"


class Spaces:
    """The namespaces of one test bed. ``add`` names a new one; leaving the context deletes all."""

    def __init__(self) -> None:
        self._prefix = f"seedcast{os.getpid()}-"
        self._names: list[str] = []

    def __enter__(self) -> "Spaces":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], check=False)
        self._names.clear()

    def add(self, name: str) -> str:
        """A new machine, which knows only itself, forwards nothing, and has no IPv6 but on purpose."""
        full = self._prefix + name
        subprocess.run(["ip", "netns", "add", full], check=True)
        self._names.append(full)
        ip(full, "link set lo up")
        return full


def ip(space: str, *lines: str) -> None:
    """Lines of ``ip``, all in one go."""
    subprocess.run(["ip", "-n", space, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def nft(space: str, rules: str) -> None:
    subprocess.run([*inside(space), "nft", "-f", "-"], input=rules, text=True, check=True)


def inside(space: str) -> list[str]:
    """What to put before a command."""
    return ["ip", "netns", "exec", space]


def set_kernel(space: str, values: Iterable[tuple[str, str]]) -> None:
    """Values under ``/proc/sys/net`` of a namespace."""
    script = "\n".join(f"echo {value} > {Path('/proc/sys/net') / name}" for name, value in values)
    subprocess.run([*inside(space), "sh", "-ec", script], check=True)


def forward(space: str) -> None:
    set_kernel(space, [("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])


def join_by_cable(outer: str, inner: str, names: Sequence[str] = ("lan0", "eth0")) -> None:
    """An Ethernet cable from one machine to another; its ends are called ``names``."""
    there, here = names
    ip(outer, f"link add {there} type veth peer name {here} netns {inner}", f"link set {there} up")
    ip(inner, f"link set {here} up")


def join_by_switch(outer: str, inner: Sequence[str]) -> None:
    """One LAN, ``lan0`` of the outer machine and ``eth0`` of each inner one; multicast goes to all of it.

    Of two machines it is a cable.
    """
    if len(inner) == 1:
        join_by_cable(outer, inner[0])
        return
    ip(outer, "link add lan0 type bridge mcast_snooping 0", "link set lan0 up")
    for number, space in enumerate(inner):
        join_by_cable(outer, space, (f"port{number}", "eth0"))
        ip(outer, f"link set port{number} master lan0")
