"""A Merkle tree over the blocks of one piece, by BLAKE3, so that one signature covers every block on its own.

    leaf = 16 bytes of BLAKE3(0x00, block)        node = 16 bytes of BLAKE3(0x01, left, right)
    root = 32 bytes of BLAKE3(0x02, top node)

The first byte keeps leaves, nodes and roots apart. Leaves are padded to a power of two with zero bytes.

Nodes of 16 bytes are enough: who wants to slip a false block under a signed root needs a second preimage, 2^128
work. A collision, 2^64 work, helps only the one who chooses both blocks before the root is signed, and that is
the source, who may sign whatever it likes anyway.
"""

from collections.abc import Sequence
from typing import Final

from blake3 import blake3

NODE_BYTES: Final = 16
ROOT_BYTES: Final = 32
LEAVES_MAX: Final = 64

_PADDING: Final = bytes(NODE_BYTES)


def depth(n: int) -> int:
    """How many nodes a path has in a tree over ``n`` blocks."""
    return (n - 1).bit_length()


def tree(blocks: Sequence[bytes | memoryview]) -> tuple[bytes, list[bytes]]:
    """The root over 1 to 64 blocks, and for each block its path: the siblings from the leaf up, joined."""
    n = len(blocks)
    assert 1 <= n <= LEAVES_MAX
    level = [_leaf(block) for block in blocks]
    level += [_PADDING] * ((1 << depth(n)) - n)
    paths = [b""] * n
    for step in range(depth(n)):
        paths = [path + level[(index >> step) ^ 1] for index, path in enumerate(paths)]
        level = [_node(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return _root(level[0]), paths


def check(root: bytes, n: int, index: int, path: bytes, block: bytes | memoryview) -> bool:
    """Whether ``block`` is number ``index`` of the ``n`` under ``root``; False for any argument out of bounds."""
    if not (0 <= index < n <= LEAVES_MAX) or len(path) != depth(n) * NODE_BYTES:
        return False
    node = _leaf(block)
    for at in range(0, len(path), NODE_BYTES):
        sibling = path[at : at + NODE_BYTES]
        node = _node(sibling, node) if index & 1 else _node(node, sibling)
        index >>= 1
    return _root(node) == root


def _leaf(block: bytes | memoryview) -> bytes:
    # Fed in two steps: joining would copy the block.
    return blake3(b"\x00").update(block).digest(NODE_BYTES)


def _node(left: bytes, right: bytes) -> bytes:
    return blake3(b"\x01" + left + right).digest(NODE_BYTES)


def _root(top: bytes) -> bytes:
    return blake3(b"\x02" + top).digest(ROOT_BYTES)
