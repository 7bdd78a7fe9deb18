"""The field's laws, and matrices whose inverses undo them."""

from hypothesis import given
from hypothesis import strategies as st

from swarm.gf256 import TIMES, inverse, inverted, product

elements = st.integers(0, 255)


def _slow_product(a: int, b: int) -> int:
    """Multiply as polynomials, bit by bit."""
    total = 0
    for bit in range(8):
        if b >> bit & 1:
            total ^= a << bit
    for bit in range(14, 7, -1):
        if total >> bit & 1:
            total ^= 0x11D << (bit - 8)
    return total


def test_tables_are_the_products_of_polynomials() -> None:
    assert all(TIMES[a][b] == _slow_product(a, b) for a in range(256) for b in range(256))


def test_every_element_but_zero_has_an_inverse() -> None:
    assert all(TIMES[a][inverse(a)] == 1 for a in range(1, 256))


@given(a=elements, b=elements, c=elements)
def test_products_distribute_over_sums(a: int, b: int, c: int) -> None:
    assert TIMES[a][b ^ c] == TIMES[a][b] ^ TIMES[a][c]


@given(st.lists(st.integers(0, 255), min_size=2, max_size=24, unique=True))
def test_the_inverse_of_a_cauchy_matrix_undoes_it(points: list[int]) -> None:
    size = len(points) // 2
    rows, columns = points[:size], points[size : 2 * size]
    matrix = tuple(tuple(inverse(x ^ y) for y in columns) for x in rows)
    one = tuple(tuple(int(i == j) for j in range(size)) for i in range(size))
    assert product(matrix, inverted(matrix)) == one
    assert product(inverted(matrix), matrix) == one


def test_a_pivot_of_zero_is_swapped_away() -> None:
    swap = ((0, 1), (1, 0))
    assert inverted(swap) == swap
