"""libtorrent's DHT, and nothing else of it: no torrent, no local discovery, no port mapping, no connection to a peer.

The one place that knows libtorrent. It has a thread and a UDP socket of its own; what it finds comes to ``hear`` in the
event loop's thread. libtorrent checks the signatures of records (BEP 44) and keeps to the DHT's limits.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from swarm.errors import DhtUnavailable
from swarm.identity import Identity
from swarm.link import SALT
from swarm.units import Address, StreamId

try:
    import libtorrent
except ImportError:  # no wheel for this system
    libtorrent = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

PEERS_A_REPLY_MAX: Final = 200
TAKE_EVERY_S: Final = 0.1
UPLOAD_BYTES_S: Final = 8000
STORED_ITEMS_MAX: Final = 200
STORED_PEERS_MAX: Final = 200
"""What this node keeps for others, as every node of the DHT does."""

KEPT_BYTES_MAX: Final = 1 << 20
_SCALAR_BYTES: Final = 32
_STOP_S: Final = 5.0


class Hear(Protocol):
    """Who is told what the DHT says. ``target`` is what peers were asked for."""

    def heard_peers(self, target: bytes, peers: Sequence[Address]) -> None: ...

    def heard_record(self, stream: StreamId, data: bytes, sequence: int) -> None: ...


class DhtSession:
    """A node of the DHT from ``start`` to ``stop``."""

    def __init__(self, hear: Hear, *, hosts: Sequence[str], port: int, bootstrap: Sequence[str], kept: bytes) -> None:
        """``hosts`` are the addresses to bind, IPv4 and IPv6; ``bootstrap`` are nodes as host:port; ``kept`` is the
        routing table that ``save`` gave last time, or empty. Raises DhtUnavailable without libtorrent."""
        if libtorrent is None:
            raise DhtUnavailable("There is no libtorrent for this system: pip install libtorrent, or set dht = false.")
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self.ready = asyncio.Event()
        """Set once it knows nodes: what is written before that reaches nobody."""
        parameters = _parameters(kept)
        parameters.settings = {
            **parameters.settings,
            "alert_mask": libtorrent.alert.category_t.dht_notification
            | libtorrent.alert.category_t.dht_operation_notification
            | libtorrent.alert.category_t.error_notification,
            "listen_interfaces": ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts),
            "dht_bootstrap_nodes": ",".join(bootstrap),
            "enable_dht": True,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_tcp": False,
            "enable_outgoing_tcp": False,
            "dht_upload_rate_limit": UPLOAD_BYTES_S,
            "dht_max_dht_items": STORED_ITEMS_MAX,
            "dht_max_torrents": STORED_ITEMS_MAX,
            "dht_max_peers": STORED_PEERS_MAX,
        }
        self._session: libtorrent.session | None = libtorrent.session(parameters)
        self._taking = self._loop.call_soon(self._take)

    @property
    def port(self) -> int:
        """The UDP port that it is bound to."""
        assert self._session is not None
        return self._session.listen_port()

    def announce(self, target: bytes, port: int) -> None:
        """Say that a peer of this target listens on that UDP port of this machine (BEP 5)."""
        if self._session is not None:
            self._session.dht_announce(libtorrent.sha1_hash(target), port, 0)

    def ask_peers(self, target: bytes) -> None:
        """Ask who is there; answers come one by one."""
        if self._session is not None:
            self._session.dht_get_peers(libtorrent.sha1_hash(target))

    def put_record(self, owner: Identity, data: bytes) -> None:
        """Write the owner's head record, over the one that is there."""
        if self._session is not None:
            self._session.dht_put_mutable_item(_expanded(owner), owner.key, data, SALT)

    def ask_record(self, stream: StreamId) -> None:
        """Ask for a stream's head record."""
        if self._session is not None:
            self._session.dht_get_mutable_item(bytes(stream), SALT)

    def save(self) -> bytes:
        """The routing table, for the next start."""
        if self._session is None:
            return b""
        flags = libtorrent.save_state_flags_t.save_dht_state
        return bytes(libtorrent.write_session_params_buf(self._session.session_state(flags), flags))

    async def stop(self) -> None:
        """Close the socket and end the thread."""
        session, self._session = self._session, None
        if session is not None:
            self._taking.cancel()
            last = [session]
            del session
            # The last reference waits for libtorrent's thread.
            try:
                async with asyncio.timeout(_STOP_S):
                    await asyncio.to_thread(last.clear)
            except TimeoutError:
                logger.warning("The DHT has not ended within %g s", _STOP_S)

    def _take(self) -> None:
        """libtorrent can call when there is something; that would need the interpreter while it may be ended by it."""
        if self._session is None:
            return
        self._taking = self._loop.call_later(TAKE_EVERY_S, self._take)
        for alert in self._session.pop_alerts():
            match alert:
                case libtorrent.dht_get_peers_reply_alert():
                    peers = [Address(host, port) for host, port in alert.peers()[:PEERS_A_REPLY_MAX]]
                    self._hear.heard_peers(alert.info_hash.to_bytes(), peers)
                case libtorrent.dht_mutable_item_alert():
                    self._take_record(alert)
                case libtorrent.dht_bootstrap_alert():
                    self.ready.set()
                case libtorrent.listen_failed_alert():
                    logger.warning("The DHT cannot use %s: %s", alert.address, alert.error.message())

    def _take_record(self, alert: "libtorrent.dht_mutable_item_alert") -> None:
        data = alert.item
        if isinstance(data, bytes) and data:
            self._hear.heard_record(StreamId(bytes(alert.key)), data, alert.seq)


def _parameters(kept: bytes) -> "libtorrent.session_params":
    """Those of a new session, with the routing table of the last one where that can be read."""
    if len(kept) <= KEPT_BYTES_MAX:
        try:
            return libtorrent.read_session_params(kept, libtorrent.save_state_flags_t.save_dht_state)
        except RuntimeError:
            logger.info("The routing table of the DHT is damaged: a new one is made")
    return libtorrent.session_params()


def _expanded(owner: Identity) -> bytes:
    """A secret key as libtorrent wants it: the scalar and the prefix that RFC 8032 section 5.1.5 makes of the seed."""
    expanded = bytearray(hashlib.sha512(owner.seed).digest())
    expanded[0] &= 248
    expanded[_SCALAR_BYTES - 1] = expanded[_SCALAR_BYTES - 1] & 63 | 64
    return bytes(expanded)
