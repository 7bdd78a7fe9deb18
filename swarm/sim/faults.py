"""Peers that do not do as they should, as the net sees them: what leaves such a host is changed or swallowed."""

from random import Random

from swarm import wire
from swarm.drivers.memory import Temper
from swarm.events import Send
from swarm.pieces import HEADER_BYTES

BLOCK_TYPE = bytes([wire.BLOCK])


def free_rider() -> Temper:
    """Advertises, accepts children, and sends no block to anybody."""
    return lambda send: None if send.data[:1] == BLOCK_TYPE else send


def polluter(rng: Random, share: float) -> Temper:
    """Falsifies a share of the blocks that it passes on: one byte of the payload."""

    def falsify(send: Send) -> Send:
        if send.data[:1] != BLOCK_TYPE or rng.random() >= share:
            return send
        at = rng.randrange(1 + HEADER_BYTES + 1, len(send.data))
        return send._replace(data=send.data[:at] + bytes([send.data[at] ^ 0x55]) + send.data[at + 1 :])

    return falsify
