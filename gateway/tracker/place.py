"""Where others reach the gateway's own tracker, if they do: links must not name what leads nowhere."""

from collections.abc import Iterable

from gateway.settings import Settings
from swarm.errors import LinkError
from swarm.prefixes import Reach, numeric, reach
from swarm.tracker_url import TrackerUrl, parse_tracker
from swarm.units import Address


def own_tracker(settings: Settings, addresses: Iterable[Address]) -> TrackerUrl | None:
    """What the settings say; else the gateway's public address, if its web side listens there. ``addresses``: where
    this node's UDP socket is reached, which is on the same machine.

    A private address is left out: whoever it leads to has this node's own address from the link, and to everybody
    else it is a machine of their own house.
    """
    if settings.tracker == "off":
        return None
    if settings.tracker_url:
        return parse_tracker(settings.tracker_url)
    listens = numeric(settings.host)
    if listens is None:
        return None
    everywhere = listens in {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to
    hosts = [address.host for address in addresses] if everywhere else [listens]
    public = next((host for host in hosts if reach(Address(host, 1)) is Reach.WORLD), None)
    if public is None:
        return None
    try:
        return parse_tracker(f"http://{f'[{public}]' if ':' in public else public}:{settings.port}/announce")
    except LinkError:
        return None  # a port that links do not name
