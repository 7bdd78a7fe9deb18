"""Which rendition a relay gives its upload to."""

import pytest

from gateway.commands.relay import Reception, rendition_of
from gateway.ladder import AUDIO
from gateway.renditions import FIRST
from swarm.events import ManifestReady
from swarm.identity import Identity
from swarm.link import Link
from swarm.manifest import Manifest, RenditionInfo
from swarm.units import StreamId

STREAM = StreamId(Identity(b"owner".ljust(32, b".")).key)


def manifest(*names: str) -> Manifest:
    renditions = tuple(
        RenditionInfo(
            number=number, name=name, bitrate_bps=1 if name == AUDIO else 2, piece_us=200_000, k=4, n=6, media=b""
        )
        for number, name in enumerate(names)
    )
    return Manifest(stream=STREAM, epoch=1, revision=1, title="News", created_us=0, renditions=renditions)


@pytest.mark.parametrize(
    ("names", "rung", "number"),
    [
        (("main",), None, 0),
        (("main",), "720p", 0),
        (("360p", "720p"), None, 1),
        (("360p", "720p"), "360p", 0),
        (("360p", "720p"), "1080p", 1),
        (("360p", "720p", "audio"), None, 1),
        (("360p", "720p", "audio"), "audio", 2),
        ((), "360p", FIRST),
    ],
)
def test_a_relay_helps_with_what_it_was_told_or_with_the_largest(
    names: tuple[str, ...], rung: str | None, number: int
) -> None:
    assert rendition_of(manifest(*names), rung) == number


def test_a_relay_learns_from_the_manifest_where_it_is_wanted() -> None:
    reception = Reception(Link(STREAM, ""), "720p")
    assert reception.rendition == FIRST
    reception.hear(ManifestReady(stream=STREAM, manifest=manifest("360p", "720p", "1080p")))
    assert reception.rendition == 1
