"""Systematic Reed-Solomon code over GF(256): n blocks from a payload, any k of which give it back.

The first k blocks are the payload itself, cut evenly. Parity row i over data column j is
(x0 + yj)(xi + y0) / (xi + yj)(x0 + y0) with xi = k + i and yj = j: a Cauchy matrix, every square part of which has
an inverse, scaled so that its first row and first column are ones (there a product is a mere XOR). The first parity
block is therefore the XOR of the data.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from swarm.errors import LocalError
from swarm.gf256 import TIMES, Matrix, inverse, inverted, product

BLOCKS_MAX: Final = 64
RECIPES_MAX: Final = 256
"""Solved losses that are remembered, some 10 KiB each: of 12 of 16's 1,820 a few dozen occur again and again."""

LANES_MAX: Final = 8

Block = bytes | memoryview


class Code:
    """The code with ``k`` data blocks among ``n``. Immutable; take it from ``code``."""

    __slots__ = ("k", "n")

    def __init__(self, k: int, n: int) -> None:
        if not 1 <= k <= n <= BLOCKS_MAX:
            raise LocalError(f"k of n blocks must be 1 <= k <= n <= {BLOCKS_MAX}, not {k} of {n}")
        self.k = k
        self.n = n

    def encode(self, payload: bytes) -> list[bytes]:
        """All n blocks, ceil(len(payload) / k) bytes each, the data's end padded with zeros."""
        data = self._cut(payload)
        return data + self._parity(data, range(self.k, self.n))

    def blocks(self, payload: bytes, wanted: Iterable[int]) -> dict[int, bytes]:
        """Only the wanted ones of the blocks that ``encode`` gives, by index."""
        data = self._cut(payload)
        indices = sorted(set(wanted))
        if indices and not 0 <= indices[0] <= indices[-1] < self.n:
            raise LocalError(f"there are {self.n} blocks, not {indices}")
        parity = [index for index in indices if index >= self.k]
        made = dict(zip(parity, self._parity(data, parity), strict=True))
        return {index: data[index] if index < self.k else made[index] for index in indices}

    def rebuild(self, blocks: Mapping[int, Block], length: int) -> bytes:
        """The payload of ``length`` bytes from any k of its blocks, by index.

        Raises LocalError for fewer than k blocks, and for sizes that do not fit the length.
        """
        usable = sorted(index for index in blocks if 0 <= index < self.n)[: self.k]
        size = -(-length // self.k)
        if len(usable) < self.k or any(len(blocks[index]) != size for index in usable):
            raise LocalError(f"a piece of {length} bytes needs {self.k} blocks of {size} bytes")
        have = tuple(usable)
        missing = tuple(index for index in range(self.k) if index not in blocks)
        data = {index: blocks[index] for index in have if index < self.k}
        if missing:
            solved = _combine(_recipe(self.k, have, missing), [blocks[index] for index in have])
            data.update(zip(missing, solved, strict=True))
        return b"".join(data[index] for index in range(self.k))[:length]

    def _cut(self, payload: bytes) -> list[bytes]:
        size = -(-len(payload) // self.k)
        return [payload[at * size : (at + 1) * size].ljust(size, b"\0") for at in range(self.k)]

    def _parity(self, data: list[bytes], wanted: Sequence[int]) -> list[bytes]:
        return _combine(tuple(_row(self.k, index) for index in wanted), data)


@cache
def code(k: int, n: int) -> Code:
    """The code with ``k`` data blocks among ``n``, 1 <= k <= n <= 64, else LocalError."""
    return Code(k, n)


@cache
def _row(k: int, index: int) -> tuple[int, ...]:
    """How block ``index`` is made of the k data blocks."""
    if index < k:
        return tuple(int(column == index) for column in range(k))
    scale = TIMES[TIMES[index][inverse(k)]]
    return tuple(scale[TIMES[k ^ column][inverse(index ^ column)]] for column in range(k))


@lru_cache(maxsize=RECIPES_MAX)
def _recipe(k: int, have: tuple[int, ...], wanted: tuple[int, ...]) -> Matrix:
    """How the wanted blocks are made of any k others: one row for each."""
    solved = inverted(tuple(_row(k, index) for index in have))
    return product(tuple(_row(k, index) for index in wanted), solved)


def _combine(matrix: Matrix, blocks: Sequence[Block]) -> list[bytes]:
    """Each row's sum of products with the blocks."""
    if len(matrix) == 1:
        return [_sum(matrix[0], blocks)]
    groups = (matrix[at : at + LANES_MAX] for at in range(0, len(matrix), LANES_MAX))
    return [block for group in groups for block in _sums(group, blocks)]


def _sum(row: tuple[int, ...], blocks: Sequence[Block]) -> bytes:
    """One row's sum. A factor of one, as all are in the first parity row, costs no look-up."""
    total = np.zeros(len(blocks[0]), np.uint8)
    for factor, block in zip(row, blocks, strict=True):
        data = block if factor == 1 else bytes(block).translate(TIMES[factor])
        np.bitwise_xor(total, np.frombuffer(data, np.uint8), out=total)
    return total.tobytes()


def _sums(rows: Matrix, blocks: Sequence[Block]) -> list[bytes]:
    """The sums of up to eight rows at once: one look-up gives the products of a byte for all rows, side by side."""
    tables = _packed(rows)
    total = np.zeros(len(blocks[0]), tables.dtype)
    products = np.empty_like(total)
    for table, block in zip(tables, blocks, strict=True):
        # "clip" lets take write straight into its target; a byte is never out of range here.
        np.take(table, np.frombuffer(block, np.uint8), out=products, mode="clip")
        np.bitwise_xor(total, products, out=total)
    lanes = total.view(np.uint8).reshape(len(total), -1)
    return [lanes[:, lane].tobytes() for lane in range(len(rows))]


@lru_cache(maxsize=RECIPES_MAX)
def _packed(rows: Matrix) -> npt.NDArray[np.unsignedinteger]:
    """For each column a table from a byte to its products with that column's factors, one byte lane a row."""
    width = 1 << (len(rows) - 1).bit_length()
    lanes = np.zeros((len(rows[0]), 256, width), np.uint8)
    for lane, row in enumerate(rows):
        for column, factor in enumerate(row):
            lanes[column, :, lane] = np.frombuffer(TIMES[factor], np.uint8)
    return lanes.view(f"u{width}")[:, :, 0]
