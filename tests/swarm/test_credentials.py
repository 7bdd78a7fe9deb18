"""What a link carries behind its # leads to one root secret, or is refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.credentials import link_secret, password_secret, root_of, shareable
from swarm.errors import LinkError
from swarm.identity import Identity
from swarm.link import Link, format_link, parse_link
from swarm.units import StreamId

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)


def test_a_streams_link_has_the_same_secret_at_every_start_and_no_other_streams() -> None:
    secret = link_secret(OWNER)
    assert secret == link_secret(Identity(b"o" * 32)) != link_secret(Identity(b"p" * 32))
    assert len(root_of(secret, STREAM)) == 32
    assert root_of(secret, STREAM) != root_of(secret, StreamId(b"t" * 32))
    assert OWNER.seed not in root_of(secret, STREAM) + secret.encode()


@given(st.binary(min_size=32, max_size=32))
def test_a_passwords_root_comes_back_and_is_not_for_others(root: bytes) -> None:
    assert root_of(password_secret(root), STREAM) == root
    assert shareable(password_secret(root)) == ""
    assert shareable(link_secret(OWNER)) == link_secret(OWNER)


@given(st.text(st.characters(codec="ascii"), max_size=50))
def test_any_text_opens_a_stream_or_is_refused(text: str) -> None:
    try:
        root = root_of(text, STREAM)
    except LinkError:
        return
    assert len(root) == 32


@pytest.mark.parametrize("text", ["", "s", "x" + "A" * 22, "s" + "A" * 21, "s" + "A" * 21 + "B", "p" + "A" * 22])
def test_what_is_no_secret_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(LinkError, match="copy the whole link"):
        root_of(text, STREAM)


def test_a_link_carries_its_secret_behind_everything_that_peers_may_see() -> None:
    link = Link(STREAM, "A # film", secret=link_secret(OWNER))
    text = format_link(link)
    assert text.partition("#")[2] == link.secret
    assert parse_link(text) == link
    assert link.secret not in repr(link)


@pytest.mark.parametrize("secret", ["a b", "ä", "a#b", "x" * 401])
def test_a_damaged_secret_is_refused(secret: str) -> None:
    with pytest.raises(LinkError, match="behind the #"):
        parse_link(format_link(Link(STREAM)) + "#" + secret)
