"""Addresses worth dialling for one swarm, and when."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from swarm.units import Address, PeerId
from swarm.wire import Contact

KNOWN_MAX = 256
DIALS_AT_ONCE = 8
RETRY_S = (0.5, 30.0)
"""First and longest pause before an address is dialled again; doubled each time."""

DOUBLINGS_MAX = 10
"""More of them change nothing, and after a night of failures the power would no longer fit into a float."""


@dataclass(slots=True)
class Prospect:
    """One address; ``key`` pins the peer when somebody named it."""

    address: Address
    key: PeerId | None
    from_link: bool
    failures: int = 0
    next_s: float = 0.0
    dialling: bool = False


@dataclass(slots=True)
class AddressBook:
    """What is known to dial, bounded; addresses of the user's own link are never pushed out."""

    prospects: dict[Address, Prospect] = field(default_factory=dict)

    def add_link(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            if dialable(address):
                known = self.prospects.setdefault(address, Prospect(address, None, from_link=True))
                if not known.from_link:
                    known.from_link, known.key = True, None

    def add(self, contacts: Iterable[Contact]) -> None:
        """Take in what a neighbour named, as long as there is room."""
        for contact in contacts:
            if len(self.prospects) < KNOWN_MAX and dialable(contact.address):
                known = self.prospects.setdefault(
                    contact.address, Prospect(contact.address, contact.key, from_link=False)
                )
                if known.failures and known.key != contact.key and not known.from_link:
                    known.key = contact.key

    def due(self, connected: set[Address], wanted: int, now: float) -> list[Prospect]:
        """Whom to dial now, so that about ``wanted`` more neighbours come; marks them as being dialled."""
        dialling = sum(p.dialling for p in self.prospects.values())
        room = min(wanted, DIALS_AT_ONCE) - dialling
        idle = (p for p in self.prospects.values() if not p.dialling and p.next_s <= now)
        found = [p for p in idle if p.address not in connected][: max(0, room)]
        for prospect in found:
            prospect.dialling = True
        return found

    def reached(self, address: Address) -> None:
        if (prospect := self.prospects.get(address)) is not None:
            prospect.dialling, prospect.failures = False, 0

    def failed(self, address: Address, now: float) -> None:
        """A dial came to nothing, or the peer has left: wait longer, forget what only a neighbour named."""
        prospect = self.prospects.get(address)
        if prospect is None:
            return
        prospect.dialling = False
        prospect.failures += 1
        prospect.next_s = now + min(RETRY_S[1], RETRY_S[0] * 2 ** min(DOUBLINGS_MAX, prospect.failures - 1))
        if prospect.failures >= 3 and not prospect.from_link:
            del self.prospects[address]

    def forget(self, address: Address) -> None:
        self.prospects.pop(address, None)

    def hopeless(self) -> int:
        """How many addresses were tried in vain, when all were; else 0."""
        tried = [p for p in self.prospects.values() if p.failures]
        return len(tried) if tried and len(tried) == len(self.prospects) else 0


def dialable(address: Address) -> bool:
    """Whether an address can be a peer's at all; a neighbour may name anything."""
    host, _, zone = address.host.partition("%")
    ip = ip_address(host)
    if ip.is_multicast or ip.is_unspecified or (ip.version == 4 and ip.is_reserved):
        return False
    # Without the name of the interface a link-local IPv6 address leads nowhere.
    return 0 < address.port < 65536 and not (ip.version == 6 and ip.is_link_local and not zone)
