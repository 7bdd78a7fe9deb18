"""Any k of n blocks give the payload back, as they do in zfec; fewer never pretend to."""

from itertools import combinations
from random import Random

import pytest
import zfec  # type: ignore[import-untyped] # it ships no types
from hypothesis import given
from hypothesis import strategies as st

from swarm.coding import BLOCKS_MAX, Code, code
from swarm.errors import LocalError
from swarm.gf256 import TIMES


@st.composite
def codes(draw: st.DrawFn, n_max: int = BLOCKS_MAX) -> Code:
    n = draw(st.integers(1, n_max))
    return code(draw(st.integers(1, n)), n)


payloads = st.binary(min_size=1, max_size=500)


@given(code=codes(), payload=payloads, data=st.data())
def test_any_k_blocks_rebuild_the_payload(code: Code, payload: bytes, data: st.DataObject) -> None:
    blocks = code.encode(payload)
    held = data.draw(st.permutations(range(code.n)))[: code.k]
    assert code.rebuild({i: memoryview(blocks[i]) for i in held}, len(payload)) == payload


@given(code=codes(), payload=payloads, data=st.data())
def test_more_than_k_blocks_rebuild_the_payload_too(code: Code, payload: bytes, data: st.DataObject) -> None:
    blocks = code.encode(payload)
    count = data.draw(st.integers(code.k, code.n))
    held = data.draw(st.permutations(range(code.n)))[:count]
    assert code.rebuild({i: blocks[i] for i in held}, len(payload)) == payload


@pytest.mark.parametrize(("k", "n"), [(1, 1), (1, 4), (2, 3), (4, 4), (4, 8), (8, 12), (6, 9)])
def test_every_choice_of_k_blocks_rebuilds_the_payload(k: int, n: int) -> None:
    payload = bytes(range(7 * k - 3))
    blocks = code(k, n).encode(payload)
    for held in combinations(range(n), k):
        assert code(k, n).rebuild({i: blocks[i] for i in held}, len(payload)) == payload


@pytest.mark.parametrize(("k", "n"), [(12, 16), (8, 10), (5, 8), (1, 3), (40, 64)])
def test_zfec_survives_the_same_losses(k: int, n: int) -> None:
    payload = bytes(i * 31 & 0xFF for i in range(k * 64))
    data = [payload[i * 64 : (i + 1) * 64] for i in range(k)]
    ours = code(k, n).encode(payload)
    theirs = zfec.Encoder(k, n).encode(data)
    held = sorted(Random(f"{k}/{n}").sample(range(n), k))
    assert ours[:k] == theirs[:k] == data
    assert b"".join(zfec.Decoder(k, n).decode([theirs[i] for i in held], held)) == payload
    assert code(k, n).rebuild({i: ours[i] for i in held}, len(payload)) == payload


@given(code=codes(), payload=payloads)
def test_the_first_k_blocks_are_the_payload_and_zeros(code: Code, payload: bytes) -> None:
    blocks = code.encode(payload)
    size = -(-len(payload) // code.k)
    assert {len(block) for block in blocks} == {size}
    assert b"".join(blocks[: code.k]) == payload.ljust(size * code.k, b"\0")


@given(code=codes(), payload=payloads, data=st.data())
def test_single_blocks_are_those_of_the_whole(code: Code, payload: bytes, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, code.n - 1)))
    whole = code.encode(payload)
    assert code.blocks(payload, wanted) == {i: whole[i] for i in wanted}


def test_the_matrix_is_the_documented_one() -> None:
    k, n = 3, 6
    for i in range(n - k):
        for j in range(k):
            unit = bytes(int(column == j) for column in range(k))
            factor = code(k, n).encode(unit)[k + i][0]
            top, bottom = TIMES[k ^ j][k + i], TIMES[k + i ^ j][k]
            assert TIMES[factor][bottom] == top


def test_the_first_parity_block_is_the_sum_of_the_data() -> None:
    assert code(3, 4).encode(bytes([1, 2, 4]))[3] == bytes([7])
    assert code(3, 6).encode(bytes([1, 2, 4]))[3] == bytes([7])


@given(payload=payloads, data=st.data())
def test_nothing_less_than_k_whole_blocks_is_taken(payload: bytes, data: st.DataObject) -> None:
    blocks = dict(enumerate(code(4, 7).encode(payload)))
    held = data.draw(st.permutations(range(7)))
    few = {i: blocks[i] for i in held[:3]}
    with pytest.raises(LocalError, match="needs 4 blocks"):
        code(4, 7).rebuild(few, len(payload))
    with pytest.raises(LocalError, match="needs 4 blocks"):
        code(4, 7).rebuild({**few, 9: blocks[held[3]]}, len(payload))
    with pytest.raises(LocalError, match="needs 4 blocks"):
        code(4, 7).rebuild({**few, held[3]: blocks[held[3]] + b"\0"}, len(payload))


@pytest.mark.parametrize(("k", "n"), [(0, 4), (5, 4), (1, 65), (-1, 1)])
def test_codes_out_of_bounds_are_refused(k: int, n: int) -> None:
    with pytest.raises(LocalError, match=f"not {k} of {n}"):
        code(k, n)


@pytest.mark.parametrize("index", [-1, 6])
def test_a_block_that_does_not_exist_is_refused(index: int) -> None:
    with pytest.raises(LocalError, match="6 blocks"):
        code(4, 6).blocks(b"payload", [0, index])
