"""Who is at the other end of a link: the dialler proves its key, the acceptor's was proved by the transport.

    dialler                          acceptor
      | -- hello(key, proof) ----------> |   proof = signature over the acceptor's key, the link's binding, own key
      | <---------- welcome(key) ------- |

The binding is chosen by the acceptor for this link alone, so a proof cannot be used a second time.
"""

from dataclasses import dataclass

from swarm import wire
from swarm.errors import MalformedMessage, ProofError
from swarm.events import LinkInfo
from swarm.identity import Identity, verify
from swarm.units import Address, PeerId

CONTEXT = b"seedcast hello 1\0"
ANSWER_S = 3.0
"""A link on which nobody has introduced himself for so long is closed."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a finished handshake tells of the other end; ``observed`` is where it sees this one."""

    key: PeerId
    download_only: bool
    observed: Address


def hello(me: Identity, info: LinkInfo, *, download_only: bool) -> wire.Hello:
    """The dialler's first message. The transport has told the acceptor's key."""
    assert info.peer is not None
    return wire.Hello(
        version=wire.VERSION,
        key=PeerId(me.key),
        proof=me.sign(CONTEXT + info.peer + info.binding + me.key),
        download_only=download_only,
        observed=info.address,
    )


def welcome(me: Identity, info: LinkInfo, *, download_only: bool) -> wire.Welcome:
    """The acceptor's answer to a good hello."""
    return wire.Welcome(version=wire.VERSION, key=PeerId(me.key), download_only=download_only, observed=info.address)


def open_hello(me: Identity, info: LinkInfo, message: wire.Message) -> Introduction:
    """Check the first message on an accepted link. Raises MalformedMessage or ProofError."""
    if not isinstance(message, wire.Hello) or message.version != wire.VERSION:
        raise MalformedMessage("the first message is no hello of this version")
    if not verify(message.key, message.proof, CONTEXT + me.key + info.binding + message.key):
        raise ProofError("the hello's proof does not hold")
    return Introduction(message.key, message.download_only, message.observed)


def open_welcome(info: LinkInfo, message: wire.Message) -> Introduction:
    """Check the first message on a dialled link. Raises MalformedMessage."""
    if not isinstance(message, wire.Welcome) or message.version != wire.VERSION:
        raise MalformedMessage("the first message is no welcome of this version")
    if message.key != info.peer:
        raise MalformedMessage("the welcome names another key than the transport proved")
    return Introduction(message.key, message.download_only, message.observed)
