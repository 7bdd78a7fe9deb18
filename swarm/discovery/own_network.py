"""This machine's addresses in the networks that it is in: where peers are looked for, whichever way leads outside.

The way outside may be a VPN, and then it is not where this house's other machines are.
"""

from collections.abc import Sequence
from typing import Final

import ifaddr

from swarm.prefixes import Reach, reach
from swarm.units import Address

VIRTUAL: Final = ("docker", "br-", "veth", "virbr", "lxc", "cni", "vEthernet")
"""Networks inside of this machine: what is reached there is this machine."""


def network_hosts(first: Sequence[str]) -> tuple[str, ...]:
    """``first``, and then the private IPv4 addresses of all adapters."""
    found = dict.fromkeys(first)
    for adapter in ifaddr.get_adapters():
        if str(adapter.nice_name).startswith(VIRTUAL):
            continue
        for own in adapter.ips:
            if isinstance(own.ip, str) and reach(Address(own.ip, 1)) is Reach.NETWORK:
                found[own.ip] = None
    return tuple(found)
