"""Sealed streams in whole swarms, on a virtual clock: who has the key plays, all others carry what they cannot read."""

from dataclasses import replace

from swarm.credentials import link_secret, root_of
from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.events import ManifestReady, PieceLost, PieceReady
from swarm.identity import Identity
from swarm.keyring import Keyring
from swarm.manifest import Manifest
from swarm.sealer import Sealing
from swarm.sealing import Admission
from swarm.sim.world import World
from swarm.units import StreamId

LINE = Line(uplink_bps=30e6)


def sealing(owner: Identity, session: bytes = b"session1", rotation_s: int = 10) -> Sealing:
    root = root_of(link_secret(owner), StreamId(owner.key))
    return Sealing(admission=Admission.LINK, session=session, root=root, rotation_s=rotation_s)


def sealed_world(seed: int = 1) -> World:
    """A show that is sealed by the secret of its link."""
    world = World(seed=seed)
    world.sealing = sealing(world.owner)
    world.broadcast()
    return world


def unlock(world: World, host: Host) -> None:
    assert world.sealing is not None
    root = world.sealing.root
    world.net.call(host, lambda node, _: node.members.unlock(world.stream, root))


def pieces(host: Host) -> list[PieceReady]:
    return [news for _, news in host.news if isinstance(news, PieceReady)]


def manifests(host: Host) -> list[ManifestReady]:
    return [news for _, news in host.news if isinstance(news, ManifestReady)]


def losses(host: Host) -> int:
    return sum(isinstance(news, PieceLost) for _, news in host.news)


def test_who_has_the_secret_plays_and_the_others_carry_what_they_cannot_read() -> None:
    world = sealed_world()
    viewers = [world.add_viewer(LINE) for _ in range(4)]
    for host in viewers:
        unlock(world, host)
    relays = [world.add_viewer(LINE) for _ in range(4)]
    world.run(12.0)
    for host in viewers:
        assert losses(host) == 0
        assert len(pieces(host)) > 50
        assert all(piece.payload == world.payload(piece.number) for piece in pieces(host))
    for host in relays:
        assert len(pieces(host)) > 50
        assert all(piece.payload == b"" for piece in pieces(host))
        assert all(world.payload(piece.number)[:64] not in piece.sealed for piece in pieces(host))
    carried = sum(status.bytes_out for host in relays if (status := host.node.status(world.stream)))
    assert carried > 500_000, "they serve others"


def test_the_description_is_for_viewers_alone() -> None:
    world = sealed_world()
    viewer, relay = world.add_viewer(LINE), world.add_viewer(LINE)
    unlock(world, viewer)
    world.run(2.0)
    opened, seen = manifests(viewer)[-1], manifests(relay)[-1]
    assert (opened.locked, opened.manifest.title) == (False, "show")
    assert (seen.locked, seen.manifest.title) == (True, "")
    assert opened.manifest.renditions[0].media == b""
    assert seen.manifest.renditions[0].media != b""


def test_a_secret_that_comes_late_opens_what_comes_from_then_on() -> None:
    world = sealed_world()
    viewer = world.add_viewer(LINE)
    world.run(3.0)
    assert manifests(viewer)[-1].locked
    unlock(world, viewer)
    assert not manifests(viewer)[-1].locked
    before = len(pieces(viewer))
    world.run(3.0)
    assert all(piece.payload for piece in pieces(viewer)[before:])
    assert len(pieces(viewer)) > before


def test_a_wrong_secret_opens_nothing_and_breaks_nothing() -> None:
    world = sealed_world()
    viewer = world.add_viewer(LINE)
    world.net.call(viewer, lambda node, _: node.members.unlock(world.stream, b"wrong" * 6 + b".."))
    world.run(3.0)
    assert manifests(viewer)[-1].locked
    assert pieces(viewer)
    assert all(not piece.payload for piece in pieces(viewer))
    assert not viewer.node.faults


def test_leaving_forgets_the_secret() -> None:
    world = sealed_world()
    viewer = world.add_viewer(LINE)
    unlock(world, viewer)
    world.run(2.0)
    world.net.call(viewer, lambda node, now: node.leave(world.stream, now))
    world.run(1.0)
    world.join(viewer, (world.source.address,))
    world.run(2.0)
    assert manifests(viewer)[-1].locked


def test_a_stream_can_become_sealed_and_open_again_with_its_next_epochs() -> None:
    world = World(seed=3)
    world.show = replace(world.show, key_every=1)
    relay = world.add_viewer(LINE)
    for epoch, chosen in ((1, None), (2, sealing(world.owner)), (3, None)):
        world.epoch, world.sealing = epoch, chosen
        world.broadcast()
        world.run(3.0)
        latest = pieces(relay)[-1]
        assert latest.epoch == epoch
        assert bool(latest.payload) == (chosen is None)


def test_what_a_hostile_owner_seals_as_a_title_is_no_danger_to_a_terminal() -> None:
    owner = Identity(b"o" * 32)
    keyring = Keyring(StreamId(owner.key))
    keyring.seal_with(sealing(owner))
    assert keyring.sealer is not None
    for title in ("two\nlines", "x" * 300):
        manifest = Manifest(stream=StreamId(owner.key), epoch=1, revision=1, title=title, created_us=0, renditions=())
        opened = keyring.manifest(keyring.sealer.describe(manifest))
        assert opened is not None
        assert opened.title == ""
