"""Fifty thousand messages of every kind on links in every state; ``make bench-fuzz`` sends ten million."""

import json

import pytest

from swarm.reading import Reader
from swarm.units import LinkId, PeerId
from swarm.wire import Message
from tests.bench.fuzz import Broken, Fuzzer, fuzz

SEED = 7
MESSAGES = 50_000


class Careless(Reader):
    """Lets an exception out that no peer's fault explains."""

    def message(self, data: bytes) -> Message:
        raise KeyError(data[:1])


def test_whatever_is_sent_nothing_is_raised_and_nothing_grows() -> None:
    figures = fuzz(MESSAGES, SEED)
    print(f"seed {SEED}:", json.dumps(figures))
    assert figures["messages"] >= MESSAGES
    for met in ("malformed", "banned", "flooding", "excess", "pieces_ready", "equivocations"):
        assert figures[met] > 0, f"seed {SEED}: the fuzzer never came to {met}"


def test_the_same_seed_sends_the_same() -> None:
    def end_of(seed: int) -> tuple[bytes, int, int]:
        fuzzer = Fuzzer(seed)
        fuzzer.run(3000)
        return fuzzer.last, fuzzer.sent_bytes, fuzzer.held()

    assert end_of(3) == end_of(3)
    assert end_of(3)[:2] != end_of(4)[:2]


def test_an_exception_that_escapes_is_told_with_the_way_to_see_it_again() -> None:
    fuzzer = Fuzzer(SEED)
    fuzzer.node._reader = Careless()
    with pytest.raises(Broken, match=f"--seed {SEED} --messages"):
        fuzzer.run(100)


def test_a_container_that_grows_is_told() -> None:
    fuzzer = Fuzzer(SEED)
    fuzzer.run(100)
    member = next(iter(fuzzer.node.members.values()))
    member.greetings._greeted |= {PeerId(bytes([n]) * 32): LinkId(1) for n in range(50)}
    with pytest.raises(Broken, match="greeted"):
        fuzzer.check_bounds()
