"""Announcing to a tracker over UDP (BEP 15, BEP 41), as datagrams without any I/O.

connect  ->  <- connection id      the id proves that the asker's address is its own, and is good for a minute
announce ->  <- interval, counts, peers
"""

import struct
from typing import Final

from swarm.discovery.announces import Announce, Answer, Counts, Event, plain, unpack_peers
from swarm.errors import TrackerError

CONNECTION_GOOD_S: Final = 60.0
RETRY_S: Final = (2.0, 4.0, 8.0)
"""How long each datagram's answer is waited for. BEP 15 begins with 15 s, for servers of torrents that can wait; who
waits for a picture asks sooner, and gives up sooner: four datagrams at most, then another tracker or a longer pause."""

DATAGRAM_BYTES_MAX: Final = 8 * 1024

_MAGIC: Final = 0x41727101980
_CONNECT: Final = struct.Struct(">QII")
_CONNECTED: Final = struct.Struct(">IIQ")
_ANNOUNCE: Final = struct.Struct(">QII20s20sQQQIIIiH")
_ANNOUNCED: Final = struct.Struct(">IIIII")
_SCRAPE: Final = struct.Struct(">QII20s")
_SCRAPED: Final = struct.Struct(">IIIII")
_HEAD: Final = struct.Struct(">II")
_URL_DATA: Final = 2
_PATH_BYTES_MAX: Final = 255

_CONNECT_ACTION, _ANNOUNCE_ACTION, _SCRAPE_ACTION, _ERROR_ACTION = range(4)


def connect_request(transaction: int) -> bytes:
    return _CONNECT.pack(_MAGIC, _CONNECT_ACTION, transaction)


def read_connected(data: bytes, transaction: int) -> int:
    """The connection id. Raises TrackerError."""
    _check(data, _CONNECT_ACTION, transaction, _CONNECTED.size)
    return int(_CONNECTED.unpack_from(data)[2])


def announce_request(announce: Announce, *, connection: int, transaction: int, path: str) -> bytes:
    """``path`` of the tracker's URL goes along, for those that keep several lists (BEP 41)."""
    head = _ANNOUNCE.pack(
        connection,
        _ANNOUNCE_ACTION,
        transaction,
        announce.target,
        announce.peer_id,
        0,
        announce.left,
        0,
        announce.event,
        0,
        announce.key,
        0 if announce.event is Event.STOPPED else announce.wanted,
        announce.port,
    )
    url = path.encode()[:_PATH_BYTES_MAX]
    return head + (bytes((_URL_DATA, len(url))) + url if url else b"")


def read_announced(data: bytes, transaction: int, version: int) -> Answer:
    """The answer to an announce that went over this version of IP. Raises TrackerError."""
    _check(data, _ANNOUNCE_ACTION, transaction, _ANNOUNCED.size)
    _, _, interval_s, viewers, sources = _ANNOUNCED.unpack_from(data)
    peers = tuple(unpack_peers(data[_ANNOUNCED.size :], version))
    return Answer(interval_s=interval_s, sources=sources, viewers=viewers, peers=peers)


def scrape_request(target: bytes, *, connection: int, transaction: int) -> bytes:
    return _SCRAPE.pack(connection, _SCRAPE_ACTION, transaction, target)


def read_scraped(data: bytes, transaction: int) -> Counts:
    """Raises TrackerError."""
    _check(data, _SCRAPE_ACTION, transaction, _SCRAPED.size)
    _, _, sources, _, viewers = _SCRAPED.unpack_from(data)
    return Counts(sources=sources, viewers=viewers)


def answers(data: bytes, transaction: int) -> bool:
    """Whether a datagram is the answer to this request, and not a late or forged one."""
    return len(data) >= _HEAD.size and _HEAD.unpack_from(data)[1] == transaction


def _check(data: bytes, action: int, transaction: int, size: int) -> None:
    if not answers(data, transaction):
        raise TrackerError("its answer is another's")
    if _HEAD.unpack_from(data)[0] == _ERROR_ACTION:
        raise TrackerError(f"it says: {plain(data[_HEAD.size :])}")
    if _HEAD.unpack_from(data)[0] != action or len(data) < size:
        raise TrackerError("its answer makes no sense")
