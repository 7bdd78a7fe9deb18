"""Why a player gets no picture of a stream: the problems that a channel answers with."""

from gateway.problems import Problem
from swarm.sealing import Admission


def no_rung(names: list[str]) -> Problem:
    """``names``: the renditions that there are."""
    if not names:
        return not_yet()
    return Problem(
        status=404,
        title="This stream has no such rendition",
        detail=f"What there is: {', '.join(names)}. Without one in the URL the gateway chooses.",
        slug="no-rendition",
    )


def silent(silent_s: float) -> Problem:
    """Nothing has come for so long."""
    return Problem(
        status=504,
        title=f"Nothing has come of this stream for {silent_s:.0f} s",
        detail="Its broadcaster may have gone. It is still being waited for: try again later.",
        slug="silent",
    )


def gone(reason: str) -> Problem:
    """Its owner has ended the stream for good."""
    said = f" Its owner says: {reason}." if reason else ""
    return Problem(
        status=410,
        title="This stream is over for good",
        detail=f"Its owner has ended it, and nobody carries it any more.{said}",
        slug="gone",
    )


def blocked(reason: str) -> Problem:
    """A list that this gateway's user has chosen names the stream."""
    return Problem(
        status=403,
        title="This stream is blocked at this gateway",
        detail=f"The reason: {reason}. Its owner chose the lists (blocklists in the settings).",
        slug="blocked",
    )


def unreachable() -> Problem:
    """Nobody answers."""
    return Problem(
        status=504,
        title="No peer of this stream can be reached",
        detail="The broadcast may be over, or the link is old: ask for a fresh one. It is still being tried.",
    )


def locked(admission: Admission) -> Problem:
    """The stream is sealed, and its key is not here."""
    return Problem(status=403, title="This stream is locked", detail=WAYS_IN[admission], slug="locked")


def not_yet() -> Problem:
    """The stream's manifest has not come."""
    return Problem(
        status=503, title="The stream has not said yet what it has", detail="Try again in a moment.", slug="not-yet"
    )


def no_password() -> Problem:
    """A password for a stream that takes none."""
    return Problem(
        status=409, title="This stream takes no password", detail="Its state says what it needs.", slug="no-password"
    )


def wrong_password() -> Problem:
    """Not the one."""
    return Problem(
        status=403,
        title="This password does not open the stream",
        detail="This is not its password. Type it again, or ask for the one of today.",
        slug="wrong-password",
    )


WAYS_IN = {
    Admission.LINK: "Its link carries a secret behind a #, which is missing or wrong here: ask for the whole link.",
    Admission.PASSWORD: "It needs a password: enter it on the start page, or use 'seedcast watch --password'.",
    Admission.TICKET: "It needs a ticket from its owner; one that is here is not good, or not good any more.",
}
