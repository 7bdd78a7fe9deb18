"""What can go wrong in the swarm, by whose fault it is.

SwarmError
    LocalError              the caller's or our own mistake: raised
        LinkError           a link that cannot be read; the text says what is wrong with it
    RemoteError             a peer broke the protocol: counted, the link closed, never leaves the node
        MalformedMessage    bytes that are no message
        Flooding            far more messages of one kind than any honest peer sends, for long
        ProofError          a signature or a hash that does not hold: the only ground for a ban
"""


class SwarmError(Exception):
    """Root of everything that the swarm raises on purpose."""


class LocalError(SwarmError):
    """The caller asked for something that makes no sense."""


class LinkError(LocalError):
    """A pasted link is not one of ours, or is damaged."""


class RemoteError(SwarmError):
    """A peer did not keep to the protocol."""


class MalformedMessage(RemoteError):
    """Bytes that cannot be read as a message, or fields out of bounds."""


class ProofError(RemoteError):
    """A signature or a Merkle path that does not hold."""


class Flooding(RemoteError):
    """A peer sends far more of one kind of message than the protocol has use for."""
