"""The houses of the test bed, what stands between each and the internet, and the internet itself.

    host --cable-- home router (NAT, firewall) --cable-- [carrier's NAT] ==line== internet ==line== ...

House number N has 44.0.N.2 and 2a01:N::/48 towards the internet, and 192.168.1.2 inside, like every other house; its
further hosts, if it has any, are on one LAN with the first, at 192.168.1.3 and so on. libtorrent's nodes of the DHT
answer nobody in networks that are never seen in the internet, such as 11.0.0.0/8.
"""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from tests.network.lines import Line, to_json
from tests.network.namespaces import Spaces, forward, inside, ip, join_by_cable, join_by_switch, nft


class Nat(Enum):
    """What a router does with the ports of UDP over IPv4. All of Linux's let in only answers (RFC 4787, section 5)."""

    NONE = "no IPv4 NAT"
    PRESERVING = "port-preserving"
    RANDOM = "symmetric"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One house. ``guarded``: its router lets IPv6 in only as an answer. ``carrier``: a second NAT, the carrier's.

    ``opens_ports``: its router opens a port for who asks by PCP, NAT-PMP or UPnP. ``hosts``: how many machines are in
    it; more than one need a router.
    """

    name: str
    number: int
    nat: Nat = Nat.NONE
    carrier: bool = False
    v4: bool = True
    v6: bool = False
    guarded: bool = False
    udp: bool = True
    opens_ports: bool = False
    hosts: int = 1
    up_bps: float = 5e6
    down_bps: float = 10e6
    delay_s: float = 0.015

    @property
    def has_router(self) -> bool:
        return self.nat is not Nat.NONE or self.guarded or not self.udp

    @property
    def outer_host(self) -> str:
        """Its IPv4 address in the internet."""
        return f"44.0.{self.number}.2"

    def can_reach(self, other: "Site") -> bool:
        """Whether two houses can have a link at all, whoever opens it, by what their routers do."""
        if not (self.udp and other.udp):
            return False
        if self.v6 and other.v6:
            return True
        translated = {Nat.NONE if site.opens_ports else site.nat for site in (self, other)}
        return self.v4 and other.v4 and (Nat.RANDOM not in translated or Nat.NONE in translated)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a house's line has carried so far, in bytes of IP."""

    into_bytes: int
    out_bytes: int


def site_of(sites: list[Site], host: str) -> Site | None:
    """Whose address this is, as seen from outside."""
    packed = ip_address(host).packed
    number = {b"\x2c\x00": packed[2], b"\x2a\x01": int.from_bytes(packed[2:4], "big")}.get(packed[:2])
    return next((site for site in sites if site.number == number), None)


def firewall(site: Site) -> str:
    """A home router's rules: translate what goes out, let in what answers.

    Were the others' first packets not dropped but refused, the router would remember them as its own, and give its
    house's answer to them another port.
    """
    flags = " random,fully-random" if site.nat is Nat.RANDOM else ""
    masquerade = f'oifname "wan0" masquerade{flags}' if site.nat is not Nat.NONE else ""
    silence = "meta l4proto udp drop" if not site.udp else ""
    return f"""
table ip nat {{
  chain leaving {{
    type nat hook postrouting priority 100
    {masquerade}
  }}
}}
table inet guard {{
  chain coming {{
    type filter hook input priority 0
    iifname "wan0" ct state new udp dport 1-65535 drop
  }}
  chain passing {{
    type filter hook forward priority 0
    policy drop
    {silence}
    iifname "lan*" accept
    ct state established,related accept
    ct status dnat accept
  }}
}}
"""


PORT_CHAINS = """
table inet filter {
  chain miniupnpd {
  }
  chain prerouting_miniupnpd {
  }
  chain postrouting_miniupnpd {
  }
  chain forward {
    type filter hook forward priority -10
    jump miniupnpd
  }
  chain prerouting {
    type nat hook prerouting priority -100
    jump prerouting_miniupnpd
  }
}
"""

PORT_SERVER = """
ext_ifname=wan0
ext_ip=44.0.{number}.2
listening_ip=lan0
port=0
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
uuid=00000000-0000-0000-0000-000000000001
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""

CARRIER = """
table ip nat {
  chain leaving {
    type nat hook postrouting priority 100
    oifname "wan0" masquerade
  }
}
table inet guard {
  chain coming {
    type filter hook input priority 0
    iifname "wan0" ct state new udp dport 1-65535 drop
  }
}
"""


class Bed:
    """All houses, built and joined; leaving the context tears everything down."""

    def __init__(self, sites: list[Site]) -> None:
        self.sites = sites
        self.hosts: dict[str, str] = {}
        """The first machine of each house."""

        self.machines: dict[str, list[str]] = {}
        """All machines of each house."""

        self.routers: dict[str, str] = {}
        self._exits = ExitStack()

    def __enter__(self) -> "Bed":
        with self._exits as building:
            self._spaces = building.enter_context(Spaces())
            net = self._spaces.add("net")
            forward(net)
            outermost = {site.name: self._build(site) for site in self.sites}
            lines = [
                Line(
                    house=outermost[site.name],
                    device="wan0",
                    net=net,
                    net_device=f"to{site.number}",
                    up_bps=site.up_bps,
                    down_bps=site.down_bps,
                    delay_s=site.delay_s,
                )
                for site in self.sites
            ]
            self._lay(lines, building)
            for site in self.sites:
                _connect(site, net, outermost[site.name])
                if site.opens_ports:
                    building.callback(_end, self._open_ports(site, building))
            self._exits = building.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def carried(self) -> dict[str, Carried]:
        """What each house's line has carried up to now."""
        assert self._carrying.stdin is not None
        assert self._carrying.stdout is not None
        self._carrying.stdin.write("carried\n")
        self._carrying.stdin.flush()
        counts = json.loads(self._carrying.stdout.readline())
        return {site.name: Carried(*count) for site, count in zip(self.sites, counts, strict=True)}

    def _build(self, site: Site) -> str:
        """The house with its routers, inside out; the machine at which its line ends."""
        names = [site.name, *(f"{site.name}-{number}" for number in range(2, site.hosts + 1))]
        hosts = self.machines[site.name] = [self._spaces.add(name) for name in names]
        self.hosts[site.name] = hosts[0]
        if not site.has_router:
            return hosts[0]
        router = self.routers[site.name] = self._spaces.add(f"{site.name}-router")
        forward(router)
        join_by_switch(router, hosts)
        for number, host in enumerate(hosts, start=2):
            _settle(site, host, number)
        if site.v4:
            ip(router, "addr add 192.168.1.1/24 dev lan0")
        if site.v6:
            ip(router, f"addr add 2a01:{site.number:x}:0:1::1/64 dev lan0 nodad")
        nft(router, firewall(site))
        if site.opens_ports:
            nft(router, PORT_CHAINS)
        if not site.carrier:
            return router
        carrier = self._spaces.add(f"{site.name}-carrier")
        forward(carrier)
        join_by_cable(carrier, router, ("lan0", "wan0"))
        ip(carrier, "addr add 100.64.0.1/24 dev lan0")
        ip(router, "addr add 100.64.0.2/24 dev wan0", "route add default via 100.64.0.1")
        nft(carrier, CARRIER)
        return carrier

    def _lay(self, lines: list[Line], exits: ExitStack) -> None:
        """Start the process that carries the lines."""
        carrying = self._carrying = subprocess.Popen(
            [sys.executable, "-m", "tests.network.lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        exits.callback(_end, carrying)
        assert carrying.stdin is not None
        assert carrying.stdout is not None
        carrying.stdin.write(to_json(lines) + "\n")
        carrying.stdin.flush()
        if carrying.stdout.readline() != "ready\n":
            raise RuntimeError("the lines could not be laid")

    def _open_ports(self, site: Site, exits: ExitStack) -> "subprocess.Popen[str]":
        """miniupnpd on the router, as in many a home router."""
        folder = Path(exits.enter_context(TemporaryDirectory()))
        settings = folder / "miniupnpd.conf"
        settings.write_text(PORT_SERVER.format(number=site.number), encoding="ascii")
        command = [*inside(self.routers[site.name]), "miniupnpd", "-d", "-f", str(settings), "-P", str(folder / "pid")]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.communicate()


def _settle(site: Site, host: str, number: int) -> None:
    """Addresses and routes of one machine behind a router."""
    if site.v4:
        ip(host, f"addr add 192.168.1.{number}/24 dev eth0", "route add default via 192.168.1.1")
    if site.v6:
        own, router = f"2a01:{site.number:x}:0:1::{number:x}", f"2a01:{site.number:x}:0:1::1"
        ip(host, f"addr add {own}/64 dev eth0 nodad", f"route add ::/0 via {router}")


def _connect(site: Site, net: str, end: str) -> None:
    """Addresses and routes at both ends of a house's line."""
    here, there = "wan0", f"to{site.number}"
    ip(end, f"link set {here} up mtu 1500")
    ip(net, f"link set {there} up mtu 1500")
    if site.v4:
        ip(end, f"addr add 44.0.{site.number}.2/32 dev {here}", f"route add default dev {here}")
        ip(net, f"route add 44.0.{site.number}.0/24 dev {there}")
    if site.v6:
        ip(end, f"addr add 2a01:{site.number:x}::2/128 dev {here} nodad", f"route add ::/0 dev {here}")
        ip(net, f"route add 2a01:{site.number:x}::/48 dev {there}")
