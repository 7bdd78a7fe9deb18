"""`seedcast doctor`: what this network can do for peers, asked of the user's own streams and router alone."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from gateway.diagnosis import Facts, Finding, Port, Verdict, diagnose
from gateway.errors import CannotStart
from gateway.key_files import peer_key
from gateway.membership import Membership, quic_membership
from gateway.renditions import FIRST
from gateway.settings import Settings
from gateway.shutdown import stop_event
from gateway.terminal import put_out, ticks
from gateway.whereabouts import asks_by_upnp
from swarm.identity import Identity
from swarm.link import Link
from swarm.units import Access

LOOK_S_MIN, LOOK_S_MAX = 3.0, 12.0
"""Looked at for so long at least, until all is known, and at most."""

LOOK_EVERY_S = 0.5
MARKS = {Verdict.GOOD: "[green]ok[/]", Verdict.NOTE: "[cyan]--[/]", Verdict.BAD: "[red]!![/]", Verdict.UNKNOWN: "??"}


async def run_doctor(settings: Settings, links: Sequence[Link], *, as_json: bool, console: Console) -> None:
    """Look for some seconds and tell. Raises CannotStart."""
    with closing(peer_key(settings.data_dir)) as key, stop_event() as stop:
        membership = await _start(settings, key.identity)
        try:
            membership.open_port()
            for link in links:
                membership.join(link, FIRST, lambda _: None)
            console.print(f"Looking at this network, for {LOOK_S_MAX:.0f} seconds at most ...")
            await _look(membership, stop, asks=bool(links))
            findings = diagnose(_facts(settings, links, membership))
        finally:
            await membership.stop()
    if as_json:
        put_out(json.dumps([{**asdict(finding), "verdict": finding.verdict.value} for finding in findings]))
    else:
        _tell(findings, console)


async def _start(settings: Settings, identity: Identity) -> Membership:
    """On the usual port, or beside a gateway that has it, on another one."""
    membership = quic_membership(settings, identity)
    try:
        await membership.start()
    except CannotStart:
        if not settings.swarm_port:
            raise
        membership = quic_membership(settings.model_copy(update={"swarm_port": 0}), identity)
        await membership.start()
    return membership


async def _look(membership: Membership, stop: asyncio.Event, *, asks: bool) -> None:
    """Until the router has answered, and, when there are peers to ask, these have."""
    looks = 0
    async for _ in ticks(stop, every_s=LOOK_EVERY_S):
        looks += 1
        network = membership.network_status()
        told = [family.access for family in (network.v4, network.v6) if family.links]
        known = not asks or (told and Access.UNKNOWN not in told and network.clock_peers)
        looked_s = looks * LOOK_EVERY_S
        if looked_s >= LOOK_S_MAX or (known and looked_s >= LOOK_S_MIN and membership.port is not Port.ASKED):
            return


def _facts(settings: Settings, links: Sequence[Link], membership: Membership) -> Facts:
    return Facts(
        streams=len(links),
        tried=len({peer for link in links for peer in link.peers}),
        own=membership.own_addresses,
        forwarded=membership.forwarded,
        port=Port.OPEN if settings.advertise else membership.port,
        upnp_installed=asks_by_upnp(),
        network=membership.network_status(),
        uplink=membership.uplink_status(),
    )


def _tell(findings: Sequence[Finding], console: Console) -> None:
    for finding in findings:
        # IPv6 addresses look like emoji and like markup to the console.
        console.print(f"{MARKS[finding.verdict]} [bold]{finding.subject}[/]: {escape(finding.text)}", emoji=False)
        if finding.advice:
            console.print(f"   {escape(finding.advice)}", emoji=False)
