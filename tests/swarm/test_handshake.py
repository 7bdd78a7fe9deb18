"""Who is at the other end."""

from dataclasses import replace

import pytest

from swarm import wire
from swarm.errors import MalformedMessage, ProofError
from swarm.events import LinkInfo
from swarm.handshake import hello, open_hello, open_welcome, welcome
from swarm.identity import Identity
from swarm.units import Address, PeerId

DIALLER, ACCEPTOR, OTHER = Identity(b"d" * 32), Identity(b"a" * 32), Identity(b"x" * 32)
BINDING = b"binding of a link"
UP = LinkInfo(dialled=True, address=Address("10.0.0.1", 1), binding=BINDING, peer=PeerId(ACCEPTOR.key))
DOWN = LinkInfo(dialled=False, address=Address("10.0.0.2", 2), binding=BINDING, peer=None)
HELLO = hello(DIALLER, UP, download_only=True)


def test_both_ends_learn_the_others_key_and_what_it_offers() -> None:
    there = open_hello(ACCEPTOR, DOWN, HELLO)
    here = open_welcome(UP, welcome(ACCEPTOR, DOWN, download_only=False))
    assert (there.key, there.download_only) == (DIALLER.key, True)
    assert (here.key, here.download_only) == (ACCEPTOR.key, False)


def test_each_is_told_where_it_is_seen() -> None:
    assert HELLO.observed == UP.address
    assert welcome(ACCEPTOR, DOWN, download_only=False).observed == DOWN.address


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(replace(HELLO, key=PeerId(OTHER.key)), id="another's key"),
        pytest.param(replace(HELLO, proof=HELLO.proof[:-1] + bytes([HELLO.proof[-1] ^ 1])), id="a changed proof"),
        pytest.param(replace(HELLO, proof=bytes(64)), id="an empty proof"),
        pytest.param(replace(HELLO, key=PeerId(bytes(32))), id="a weak key"),
    ],
)
def test_a_proof_that_does_not_hold_is_refused(forged: wire.Hello) -> None:
    with pytest.raises(ProofError):
        open_hello(ACCEPTOR, DOWN, forged)


def test_a_proof_is_good_for_one_link_and_one_acceptor() -> None:
    with pytest.raises(ProofError):
        open_hello(ACCEPTOR, replace(DOWN, binding=b"binding of another"), HELLO)
    with pytest.raises(ProofError):
        open_hello(OTHER, DOWN, HELLO)


@pytest.mark.parametrize(
    "message", [replace(HELLO, version=wire.VERSION + 1), replace(HELLO, version=0), wire.Ping(sent_us=0)]
)
def test_anything_but_a_hello_of_this_version_is_malformed(message: wire.Message) -> None:
    with pytest.raises(MalformedMessage):
        open_hello(ACCEPTOR, DOWN, message)


def test_anything_but_a_welcome_of_this_version_and_the_proved_key_is_malformed() -> None:
    good = welcome(ACCEPTOR, DOWN, download_only=False)
    for bad in (
        replace(good, version=wire.VERSION + 1),
        replace(good, key=PeerId(OTHER.key)),
        HELLO,
        wire.Ping(sent_us=0),
    ):
        with pytest.raises(MalformedMessage):
            open_welcome(UP, bad)
