"""Arithmetic in GF(256), the field of 256 elements: bytes as polynomials modulo x^8 + x^4 + x^3 + x^2 + 1.

Addition is XOR. Multiplication by a constant is a table look-up, ``bytes.translate`` with ``TIMES[constant]``.
"""

from typing import Final

import numpy as np

Matrix = tuple[tuple[int, ...], ...]

_POLYNOMIAL: Final = 0x11D


def _powers() -> list[int]:
    """2^0 .. 2^254; 2 generates all elements but 0."""
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value <<= 1
        if value & 0x100:
            value ^= _POLYNOMIAL
    return powers


def _tables() -> tuple[bytes, ...]:
    """For each constant the products with 0 .. 255."""
    powers = _powers()
    logs = np.zeros(256, np.intp)
    logs[powers] = np.arange(255)
    products = np.array(powers, np.uint8)[(logs[:, None] + logs[None, :]) % 255]
    products[0, :] = products[:, 0] = 0
    return tuple(row.tobytes() for row in products)


TIMES: Final = _tables()
"""``TIMES[a][b]`` is a times b."""

_INVERSES: Final = bytes([0, *(TIMES[a].index(1) for a in range(1, 256))])


def inverse(a: int) -> int:
    """1 / a, for a from 1 to 255."""
    assert a, "0 has no inverse"
    return _INVERSES[a]


def product(left: Matrix, right: Matrix) -> Matrix:
    """The product of two matrices."""
    columns = tuple(zip(*right, strict=True))
    return tuple(tuple(_dot(row, column) for column in columns) for row in left)


def inverted(matrix: Matrix) -> Matrix:
    """The inverse of a square matrix that has one, by Gauss and Jordan's elimination."""
    size = len(matrix)
    rows = [[*row, *(int(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for at in range(size):
        pivot = next(i for i in range(at, size) if rows[i][at])
        rows[at], rows[pivot] = rows[pivot], rows[at]
        scale = TIMES[inverse(rows[at][at])]
        rows[at] = [scale[value] for value in rows[at]]
        for i in range(size):
            if i != at and rows[i][at]:
                times = TIMES[rows[i][at]]
                rows[i] = [a ^ times[b] for a, b in zip(rows[i], rows[at], strict=True)]
    return tuple(tuple(row[size:]) for row in rows)


def _dot(row: tuple[int, ...], column: tuple[int, ...]) -> int:
    total = 0
    for a, b in zip(row, column, strict=True):
        total ^= TIMES[a][b]
    return total
