"""Every block proves itself against the root, and nothing else does."""

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from swarm.merkle import LEAVES_MAX, NODE_BYTES, ROOT_BYTES, check, depth, tree

lists_of_blocks = st.lists(st.binary(max_size=40), min_size=1, max_size=LEAVES_MAX)


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (12, 4), (16, 4), (17, 5), (64, 6)]
)
def test_depth_is_that_of_the_next_power_of_two(n: int, expected: int) -> None:
    assert depth(n) == expected


def test_three_blocks_hash_as_documented() -> None:
    a, b, c = (blake3(b"\x00" + block).digest(16) for block in (b"a", b"b", b"c"))
    left = blake3(b"\x01" + a + b).digest(16)
    right = blake3(b"\x01" + c + bytes(16)).digest(16)
    top = blake3(b"\x01" + left + right).digest(16)
    root, paths = tree([b"a", b"b", b"c"])
    assert root == blake3(b"\x02" + top).digest(32)
    assert paths == [b + right, a + right, bytes(16) + left]


@given(lists_of_blocks)
def test_every_block_is_proved_by_its_path(blocks: list[bytes]) -> None:
    root, paths = tree(blocks)
    assert len(root) == ROOT_BYTES
    assert {len(path) for path in paths} == {depth(len(blocks)) * NODE_BYTES}
    for index, (block, path) in enumerate(zip(blocks, paths, strict=True)):
        assert check(root, len(blocks), index, path, block)
        assert check(root, len(blocks), index, path, memoryview(block))


@given(blocks=st.lists(st.binary(max_size=40), min_size=2, max_size=LEAVES_MAX, unique=True), data=st.data())
def test_a_block_is_not_proved_under_another_index_path_or_root(blocks: list[bytes], data: st.DataObject) -> None:
    root, paths = tree(blocks)
    n = len(blocks)
    index = data.draw(st.integers(0, n - 1))
    other = data.draw(st.integers(0, n - 1).filter(lambda i: i != index))
    path = paths[index]
    flipped = bytearray(path)
    flipped[data.draw(st.integers(0, len(path) - 1))] ^= 1
    assert not check(root, n, other, path, blocks[index])
    assert not check(root, n, other, paths[other], blocks[index])
    assert not check(root, n, index, path, blocks[index] + b"\0")
    assert not check(root, n, index, bytes(flipped), blocks[index])
    assert not check(bytes([root[0] ^ 1]) + root[1:], n, index, path, blocks[index])


@given(
    root=st.binary(max_size=40),
    n=st.integers(-2, 300),
    index=st.integers(-2, 300),
    path=st.binary(max_size=130),
    block=st.binary(max_size=10),
)
def test_any_arguments_are_false_and_never_an_error(root: bytes, n: int, index: int, path: bytes, block: bytes) -> None:
    assert check(root, n, index, path, block) is False


def test_an_index_in_the_padding_is_refused() -> None:
    root, _ = tree([b"a", b"b", b"c"])
    a, b = (blake3(b"\x00" + block).digest(16) for block in (b"a", b"b"))
    path = blake3(b"\x00c").digest(16) + blake3(b"\x01" + a + b).digest(16)
    assert not check(root, 3, 3, path, b"")


@pytest.mark.parametrize("index", [-4, 4, 8])
def test_an_index_that_only_ends_in_the_same_bits_is_refused(index: int) -> None:
    blocks = [b"a", b"b", b"c", b"d"]
    root, paths = tree(blocks)
    assert check(root, 4, 0, paths[0], b"a")
    assert not check(root, 4, index, paths[0], b"a")


def test_an_inner_node_is_no_leaf() -> None:
    a, b = (blake3(b"\x00" + block).digest(16) for block in (b"a", b"b"))
    root, paths = tree([b"a", b"b", b"c", b"d"])
    assert not check(root, 2, 0, paths[0][NODE_BYTES:], a + b)
