"""What can go wrong in the swarm, by whose fault it is.

SwarmError
    LocalError              the caller's or our own mistake: raised
        LinkError           a link that cannot be read; the text says what is wrong with it
        DhtUnavailable      the DHT cannot be used on this machine; the text says what to do
    RemoteError             a peer broke the protocol: counted, the link closed, never leaves the node
        MalformedMessage    bytes that are no message
        Flooding            far more messages of one kind than any honest peer sends, for long
        ProofError          a signature or a hash that does not hold: the only ground for a ban
        RecordError         a head record in the DHT that says nothing of use
        TrackerError        a tracker that cannot be asked, says no, or answers nonsense: another one is asked
"""


class SwarmError(Exception):
    """Root of everything that the swarm raises on purpose."""


class LocalError(SwarmError):
    """The caller asked for something that makes no sense."""


class LinkError(LocalError):
    """A pasted link is not one of ours, or is damaged."""


class DhtUnavailable(LocalError):
    """There is no library for the DHT."""


class RemoteError(SwarmError):
    """A peer did not keep to the protocol."""


class MalformedMessage(RemoteError):
    """Bytes that cannot be read as a message, or fields out of bounds."""


class ProofError(RemoteError):
    """A signature or a Merkle path that does not hold."""


class Flooding(RemoteError):
    """A peer sends far more of one kind of message than the protocol has use for."""


class RecordError(RemoteError):
    """A head record that is too long, cut short, or of another version."""


class TrackerError(RemoteError):
    """A tracker gave no answer that could be used; the text says why."""
