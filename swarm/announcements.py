"""What a stream's source signs beside its pieces: the manifest of an epoch, and the one that says that it is over."""

from collections.abc import Sequence
from dataclasses import replace

from swarm.circle import Circle
from swarm.errors import LocalError
from swarm.manifest import Manifest, RenditionInfo, sign_manifest
from swarm.units import PeerId


def next_manifest(
    circle: Circle,
    *,
    title: str,
    epoch: int,
    renditions: Sequence[RenditionInfo],
    sources: Sequence[PeerId],
    now: float,
) -> tuple[Manifest, bytes]:
    """A newer manifest than the one on air, and its signed bytes. Raises LocalError."""
    assert circle.owner is not None
    epoch_before, revision = circle.manifest_version
    if epoch < epoch_before:
        raise LocalError(f"epoch {epoch} is older than {epoch_before}, which is on air; epochs only grow")
    manifest = Manifest(
        stream=circle.stream,
        epoch=epoch,
        revision=revision + 1 if epoch == epoch_before else 1,
        title=title,
        created_us=circle.wall_us(now),
        sources=tuple(sources),
        renditions=tuple(renditions),
    )
    if (sealer := circle.keyring.sealer) is not None:
        manifest = sealer.describe(manifest)
    return manifest, sign_manifest(manifest, circle.owner)


def last_manifest(circle: Circle, now: float) -> tuple[Manifest, bytes] | None:
    """That nothing more comes until another epoch begins; None where that has been said, or there was nothing."""
    manifest = circle.manifest
    if circle.owner is None or manifest is None or manifest.ended:
        return None
    last = replace(manifest, revision=manifest.revision + 1, created_us=circle.wall_us(now), ended=True)
    return last, sign_manifest(last, circle.owner)
