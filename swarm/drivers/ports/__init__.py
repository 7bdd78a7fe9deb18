"""Asks the home router to let everybody in at one UDP port: PCP, NAT-PMP and UPnP."""

from swarm.drivers.ports.mapper import PortMapper
from swarm.drivers.ports.upnp import is_installed as upnp_is_installed

__all__ = ["PortMapper", "upnp_is_installed"]
