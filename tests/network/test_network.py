"""The test bed itself, and the smallest of what `make e2e-network` shows in full."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.network.household import BY_LAN, shared
from tests.network.meeting import VIEWERS, watch
from tests.network.namespaces import inside, what_is_missing
from tests.network.peers import Process, start, until
from tests.network.sites import Bed, Nat, Site, site_of
from tests.network.source import HELPER, SOURCE, on_air

SITES = {site.name: site for site in VIEWERS}


def need_namespaces() -> None:
    reason = what_is_missing()
    if reason is not None:
        if os.environ.get("SEEDCAST_NO_SKIP") == "1":
            pytest.fail(f"{reason}, and nothing may be skipped here", pytrace=False)
        pytest.skip(reason)


@pytest.mark.parametrize(
    ("one", "other", "can"),
    [
        ("cone-1", "cone-2", True),
        ("cone-1", "carrier", True),
        ("cone-1", "symmetric-1", False),
        ("symmetric-1", "symmetric-2", False),
        ("v6-only", "cone-1", False),
        ("v6-only", "dual-1", True),
        ("dual-1", "dual-2", True),
        ("no-udp", "cone-1", False),
    ],
)
def test_who_can_reach_whom_by_theory(one: str, other: str, *, can: bool) -> None:
    assert SITES[one].can_reach(SITES[other]) is SITES[other].can_reach(SITES[one]) is can
    assert SITES[one].can_reach(SOURCE) is (SITES[one].udp)


def test_addresses_tell_the_house() -> None:
    sites = [HELPER, Site(name="far", number=300, nat=Nat.NONE)]
    assert site_of(sites, "44.0.2.2") is HELPER
    assert site_of(sites, "2a01:2:0:1::2") is HELPER
    assert site_of(sites, "2a01:12c::2") is sites[1]
    assert site_of(sites, "192.168.1.2") is None


PACKET_BYTES = 1028
HEAR = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
    ear.bind(("", 6771))
    group = socket.inet_aton("239.192.152.143") + socket.inet_aton("192.168.1.3")
    ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    print("ready", flush=True)
    print(*ear.recvfrom(100)[1], flush=True)
"""
SAY = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
    mouth.bind(("192.168.1.2", 7000))
    mouth.sendto(bytes(1000), ("239.192.152.143", 6771))
    mouth.sendto(bytes(1000), ("44.0.1.2", 6771))
"""


@pytest.mark.e2e
def test_machines_of_one_house_hear_each_other_and_its_line_counts_what_leaves_it() -> None:
    need_namespaces()
    house = Site(name="shared", number=4, nat=Nat.PRESERVING, hosts=2)
    with Bed([SOURCE, house]) as bed:
        one, other = bed.machines["shared"]
        command = [*inside(other), sys.executable, "-c", HEAR]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hearing:
            assert hearing.stdout is not None
            assert hearing.stdout.readline() == "ready\n"
            subprocess.run([*inside(one), sys.executable, "-c", SAY], check=True)
            assert hearing.stdout.readline() == "192.168.1.2 7000\n"
        # Kernels say a little of their own.
        while bed.carried()["source"].into_bytes < PACKET_BYTES:
            time.sleep(0.01)
        assert PACKET_BYTES <= bed.carried()["shared"].out_bytes < 2 * PACKET_BYTES


@pytest.mark.e2e
def test_two_houses_behind_nats_and_one_without_ipv4_meet() -> None:
    need_namespaces()
    sites = [SOURCE, SITES["cone-1"], SITES["carrier"], SITES["v6-only"]]
    figures = asyncio.run(watch(sites, 30.0))
    assert figures["fed"] == 3
    assert figures["pairs_direct"] == figures["pairs_possible"] == 4


def roles(process: Process) -> set[str | None]:
    """What the neighbours are to a process in its household."""
    return {neighbour.lodging for neighbour in process.report.neighbours} if process.report is not None else set()


async def watch_in_one_house(folder: Path) -> None:
    """Two watch until one hosts the other, which goes on when its host has been killed."""
    news = asyncio.Event()
    house = shared(2)
    with Bed([SOURCE, house]) as bed:
        processes = [await on_air(bed, folder, news)]
        try:
            assert processes[0].report is not None
            link = processes[0].report.link
            for number, machine in enumerate(bed.machines[house.name]):
                name = f"{house.name}-{number}"
                processes.append(await start(name, machine, folder, ["relay", link], news=news, settings=BY_LAN))
            one, other = processes[1:]
            assert await until(
                lambda: (
                    ("host" in roles(one) and "lodger" in roles(other))
                    or ("lodger" in roles(one) and "host" in roles(other))
                ),
                30.0,
                news,
            ), "neither hosts the other"
            host, lodger = (one, other) if "lodger" in roles(one) else (other, one)
            host.running.kill()
            before = lodger.pieces
            assert await until(lambda: lodger.pieces > before + 20, 30.0, news), "the lodger does not go on"
            assert roles(lodger) == {None}
        finally:
            await asyncio.gather(*(process.stop() for process in processes))


@pytest.mark.e2e
def test_of_two_in_one_house_one_hosts_the_other_which_goes_on_without_it(tmp_path: Path) -> None:
    need_namespaces()
    asyncio.run(watch_in_one_house(tmp_path))
