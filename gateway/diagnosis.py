"""What a network can do for live video between peers, and what to change, in plain words. Nothing is measured here."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from swarm.prefixes import Reach, reach
from swarm.status import FamilyStatus, NetworkStatus, UplinkStatus
from swarm.units import Access, Address

CLOCK_S_MAX = 2.0
"""A clock that is off by more shows wrong delays to its user; video plays all the same."""

UPLINK_BPS_LITTLE = 1e6
CARRIER_NET = "100.64."
"""The beginning of most addresses that carriers give out behind their NAT (RFC 6598)."""


class Verdict(Enum):
    GOOD = "good"
    NOTE = "note"
    BAD = "bad"
    UNKNOWN = "unknown"


class Port(Enum):
    """What became of the question to the home router for a port."""

    UNASKED = "unasked"
    ASKED = "asked"
    REFUSED = "refused"
    SECOND_NAT = "second NAT"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out. ``tried``: addresses of peers that were dialled, ``streams``: links that were given."""

    streams: int
    tried: int
    own: tuple[Address, ...]
    forwarded: tuple[Address, ...]
    port: Port
    upnp_installed: bool
    network: NetworkStatus
    uplink: UplinkStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing: how it is, in a sentence, and what could be done about it, empty when nothing need be."""

    subject: str
    verdict: Verdict
    text: str
    advice: str = ""


def diagnose(facts: Facts) -> list[Finding]:
    """The findings in the order in which they matter."""
    looks: tuple[Callable[[Facts], Finding], ...] = (_udp, _v4, _v6, _port, _uplink, _clock)
    return [look(facts) for look in looks]


def _udp(facts: Facts) -> Finding:
    links = facts.network.v4.links + facts.network.v6.links
    if links:
        some = f"{links} peer{'s' if links > 1 else ''}"
        return Finding(subject="peers", verdict=Verdict.GOOD, text=f"UDP works: {some} answered.")
    if not facts.streams:
        return Finding(
            subject="peers",
            verdict=Verdict.UNKNOWN,
            text="Without a stream's link there is nobody to ask: what others see of this network is not known.",
            advice="Give a link of a stream that is on air: seedcast doctor LINK.",
        )
    return Finding(
        subject="peers",
        verdict=Verdict.BAD,
        text=f"None of {facts.tried} addresses answered. Either those peers are gone, or this network lets no UDP out.",
        advice="Try a newer link, and the same link from another network, such as a phone's. If it works there, ask "
        "who runs this network to let UDP out.",
    )


def _v4(facts: Facts) -> Finding:
    family = facts.network.v4
    if any(not address.is_v6 for address in facts.forwarded):
        return _finding("IPv4", Verdict.GOOD, "Everybody can reach this machine, at a port that the router keeps open.")
    known = {
        Access.OPEN: (Verdict.GOOD, "Everybody can reach this machine.", ""),
        Access.CONE: (
            Verdict.NOTE,
            (
                "A NAT or a firewall stands before this machine, of the common kind: peers reach it when both dial at "
                "once, which a third one arranges."
            ),
            "",
        ),
        Access.HARD: (
            Verdict.BAD,
            (
                "A symmetric NAT stands before this machine: each peer sees it at another port, so only those that are "
                "open to everybody can feed it, over links that it opens itself."
            ),
            "Open a port in the router (below), use IPv6, or set the router's NAT to 'full cone' or 'open'.",
        ),
    }.get(family.access)
    if known is not None:
        verdict, text, advice = known
        return _finding("IPv4", verdict, text + _where(family), advice)
    if not any(not address.is_v6 for address in facts.own):
        return _finding("IPv4", Verdict.NOTE, "There is none here. Peers that have IPv4 alone cannot be reached.")
    if family.seen:
        return _finding("IPv4", Verdict.UNKNOWN, "Too few peers answered to know what stands before." + _where(family))
    return _finding("IPv4", Verdict.UNKNOWN, "No peer was met by it, so nobody has told what stands before.")


def _v6(facts: Facts) -> Finding:
    family = facts.network.v6
    if not any(address.is_v6 and reach(address) is Reach.WORLD for address in facts.own) and not family.links:
        return _finding(
            "IPv6",
            Verdict.NOTE,
            "There is none that leads out of the house.",
            "Switch it on in the router, if the provider has it: it needs no NAT.",
        )
    if family.access is Access.OPEN:
        return _finding("IPv6", Verdict.GOOD, "Everybody can reach this machine." + _where(family))
    if family.links:
        return _finding(
            "IPv6",
            Verdict.GOOD,
            "Peers are reached by it; a firewall may let in only whom this machine has called, which is enough."
            + _where(family),
        )
    return _finding("IPv6", Verdict.UNKNOWN, "This machine has an address, but no peer was met by it.")


def _port(facts: Facts) -> Finding:
    """The home router's part."""
    if facts.port is Port.OPEN:
        where = ", ".join(map(str, facts.forwarded))
        return _finding("router", Verdict.GOOD, f"The router keeps a port open for this machine: {where}.")
    if facts.port is Port.SECOND_NAT or any(address.host.startswith(CARRIER_NET) for address in facts.own):
        return _finding(
            "router",
            Verdict.NOTE,
            "The router is behind a second NAT, the provider's, so that a port in it is of no use.",
            "Ask the provider for a public IPv4 address or for IPv6; where peers are met in one of the ways above, "
            "nothing need be done.",
        )
    if facts.port is Port.UNASKED:
        return _finding("router", Verdict.NOTE, "No port was asked for: it is not needed here, or switched off.")
    advice = "Switch UPnP, NAT-PMP or PCP on in the router, or forward a UDP port to this machine and set swarm_port."
    if not facts.upnp_installed:
        advice += " For UPnP, install seedcast[upnp]."
    return _finding("router", Verdict.NOTE, "The router opens no port when it is asked.", advice)


def _uplink(facts: Facts) -> Finding:
    uplink = facts.uplink
    if uplink is not None and uplink.paused:
        return _finding("upload", Verdict.NOTE, "Nothing is sent to peers: this month's budget is used up.")
    if uplink is None or not uplink.proven:
        return _finding(
            "upload",
            Verdict.UNKNOWN,
            "What the line carries is not known yet.",
            "It is measured while a stream is watched, from what is sent to others.",
        )
    rate = f"{uplink.line_bps / 1e6:.1f} Mbit/s"
    if uplink.line_bps < UPLINK_BPS_LITTLE:
        return _finding("upload", Verdict.NOTE, f"The line carries {rate}: too little to help others much.")
    return _finding("upload", Verdict.GOOD, f"The line carried {rate} towards peers.")


def _clock(facts: Facts) -> Finding:
    error_s, count = facts.network.clock_error_s, facts.network.clock_peers
    peers = "the one peer that was asked" if count == 1 else f"most of the {count} peers that were asked"
    if error_s is None:
        return _finding("clock", Verdict.UNKNOWN, "No peer has told the time.")
    if abs(error_s) <= CLOCK_S_MAX:
        return _finding("clock", Verdict.GOOD, f"Within {abs(error_s):.1f} s of {peers}.")
    side = "behind" if error_s < 0 else "ahead of"
    return _finding(
        "clock",
        Verdict.BAD,
        f"This machine's clock is {abs(error_s):.0f} s {side} {peers}.",
        "Switch on setting the clock by the network (NTP). Video plays all the same; the delay that is shown is wrong.",
    )


def _finding(subject: str, verdict: Verdict, text: str, advice: str = "") -> Finding:
    return Finding(subject=subject, verdict=verdict, text=text, advice=advice)


def _where(family: FamilyStatus) -> str:
    return f" Others see it at {family.seen}." if family.seen is not None else ""
