"""The QUIC driver: ``QuicDriver`` runs a node over one UDP socket."""

from swarm.drivers.quic.driver import QuicDriver
from swarm.drivers.quic.table import Limits

__all__ = ["Limits", "QuicDriver"]
