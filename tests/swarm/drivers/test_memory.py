"""The net in memory: lines, links, deaths, cuts, and a clock that only the test moves."""

import pytest

from swarm.drivers.line import Line, Reach
from swarm.drivers.memory import DEAD_AFTER_S, DIAL_FAILS_AFTER_S, MEASURE_EVERY_S, Host, MemoryNet
from swarm.events import PieceReady, Send, Unreachable, Urgency
from swarm.identity import Identity
from swarm.manifest import RenditionInfo
from swarm.node import Node
from swarm.settings import NodeSettings
from swarm.units import Address, StreamId

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)
RENDITION = RenditionInfo(number=0, name="main", bitrate_bps=400_000, piece_us=200_000, k=2, n=3, media=b"")
NOWHERE = Address("10.200.0.1", 4000)


def host(net: MemoryNet, name: str, line: Line | None = None, house: int = 0) -> Host:
    identity = Identity(net.random(f"key/{name}").randbytes(32))
    node = Node(
        identity=identity,
        settings=NodeSettings(),
        rng=net.random(f"node/{name}"),
        wall_offset_s=1e9,
        now=net.now,
    )
    return net.add(name, identity, node, line or Line(), house)


def source(net: MemoryNet, line: Line | None = None, name: str = "source", house: int = 0) -> Host:
    on_air = host(net, name, line, house)
    net.call(on_air, lambda node, now: node.broadcast(OWNER, title="show", epoch=1, renditions=(RENDITION,), now=now))
    return on_air


def watch(net: MemoryNet, viewer: Host, *addresses: Address) -> None:
    net.call(viewer, lambda node, now: node.join(STREAM, 0, addresses, now))


def publish(net: MemoryNet, on_air: Host, number: int) -> None:
    net.call(
        on_air,
        lambda node, now: node.publish(
            STREAM,
            0,
            b"x" * 10_000,
            number=number,
            key=True,
            capture_us=int((now + 1e9) * 1e6) - 200_000,
            duration_us=200_000,
            now=now,
        ),
    )


def show(net: MemoryNet, on_air: Host, pieces: int, first: int = 1) -> None:
    for number in range(first, first + pieces):
        publish(net, on_air, number)
        net.run_until(net.now + 0.2)


def pieces(viewer: Host) -> list[int]:
    return sorted(news.number for _, news in viewer.news if isinstance(news, PieceReady))


def pair(source_line: Line | None = None, seed: int = 1) -> tuple[MemoryNet, Host, Host]:
    net = MemoryNet(seed)
    on_air, viewer = source(net, source_line), host(net, "viewer")
    watch(net, viewer, on_air.address)
    net.run_until(1.0)
    return net, on_air, viewer


def test_events_happen_in_order_of_time_then_of_their_making() -> None:
    net, order = MemoryNet(1), []
    for name, at in (("c", 2.0), ("a", 1.0), ("b", 1.0)):
        net.at(at, lambda name=name: order.append((name, net.now)))  # type: ignore[misc]
    net.run_until(1.5)
    assert (order, net.now) == ([("a", 1.0), ("b", 1.0)], 1.5)
    net.run_until(3.0)
    assert order[-1] == ("c", 2.0)


def test_two_hosts_meet_and_pieces_flow() -> None:
    net, on_air, viewer = pair()
    show(net, on_air, 5)
    net.run_until(net.now + 1)
    assert pieces(viewer) == [1, 2, 3, 4, 5]


def test_a_message_takes_the_time_of_its_size_and_its_way() -> None:
    net, on_air, viewer = pair(Line(uplink_bps=400_000, delay_s=0.1, jitter_s=0.0))
    published_s = net.now
    show(net, on_air, 1)
    net.run_until(net.now + 3)
    (arrived_s,) = [at for at, news in viewer.news if isinstance(news, PieceReady)]
    assert arrived_s - published_s > 0.1 + 10_000 * 8 / 400_000


def test_what_waits_too_long_is_dropped_and_counted() -> None:
    net, on_air, viewer = pair(Line(uplink_bps=50_000))
    show(net, on_air, 20)
    assert sum(end.dropped_bytes for end in on_air.ends.values()) > 0
    assert len(pieces(viewer)) < 20


def test_what_is_late_does_not_wait_behind_what_is_urgent() -> None:
    net, on_air, _ = pair(Line(uplink_bps=50_000))
    (end,) = on_air.ends.values()
    sends = [
        Send(end.link, b"\x10" + b"x" * 40_000, Urgency.CONTROL, None),
        Send(end.link, b"\x10" + b"y" * 1_000, Urgency.CONTROL, None),
        Send(end.link, b"\x10" + b"z" * 500, Urgency.REPAIR, net.now + 0.3),
    ]
    net.call(on_air, lambda node, now: node._out.extend(sends))
    assert (end.queued_bytes, end.dropped_bytes) == (1_502, 0)
    net.run_until(net.now + 0.3 + MEASURE_EVERY_S)
    assert end.dropped_bytes == 501
    assert not on_air.queues[Urgency.REPAIR]


def neighbours(one: Host) -> set[bytes]:
    status = one.node.status(STREAM)
    assert status is not None
    return {peer.key for peer in status.peers}


def test_two_cones_meet_when_both_dial_and_not_before() -> None:
    net = MemoryNet(1)
    one, other = host(net, "one", Line(reach=Reach.CONE)), host(net, "other", Line(reach=Reach.CONE))
    watch(net, one, other.address)
    net.run_until(0.3)
    assert not neighbours(one)
    watch(net, other, one.address)
    net.run_until(1.5)
    assert neighbours(one) == {other.identity.key}
    assert neighbours(other) == {one.identity.key}
    assert len(one.ends) == len(other.ends) == 1, "of two links one is closed"


@pytest.mark.parametrize("reach", [Reach.CONE, Reach.SYMMETRIC])
def test_behind_a_symmetric_nat_only_the_open_are_reached(reach: Reach) -> None:
    net = MemoryNet(1)
    hidden = host(net, "hidden", Line(reach=Reach.SYMMETRIC))
    there, on_air = host(net, "there", Line(reach=reach)), source(net)
    watch(net, hidden, there.address, on_air.address)
    watch(net, there, hidden.address)
    net.run_until(2.0)
    assert neighbours(hidden) == {on_air.identity.key}
    assert {end.peer.name for end in hidden.ends.values()} == {"source"}


def test_who_is_behind_a_symmetric_nat_is_seen_at_another_port_by_each() -> None:
    net = MemoryNet(1)
    hidden = host(net, "hidden", Line(reach=Reach.SYMMETRIC))
    others = [host(net, f"open{number}") for number in range(3)]
    for one in others:
        watch(net, one, NOWHERE)
    watch(net, hidden, *(one.address for one in others))
    net.run_until(1.0)
    statuses = [status for one in others if (status := one.node.status(STREAM)) is not None]
    seen = [peer.address for status in statuses for peer in status.peers if peer.key == hidden.identity.key]
    assert {address.host for address in seen} == {hidden.address.host}
    assert len({address.port for address in seen}) == 3


def test_an_address_that_is_nobodys_is_unreachable() -> None:
    net = MemoryNet(1)
    viewer = host(net, "viewer")
    watch(net, viewer, NOWHERE)
    net.run_until(DIAL_FAILS_AFTER_S + 6)
    assert any(isinstance(news, Unreachable) for _, news in viewer.news)


def test_a_killed_host_is_noticed_by_silence_only() -> None:
    net, on_air, viewer = pair()
    net.kill(on_air)
    net.run_until(net.now + DEAD_AFTER_S - 0.1)
    assert viewer.ends
    net.run_until(net.now + 0.2)
    assert not viewer.ends
    assert viewer.node.status(STREAM) is not None


def test_a_cut_lets_nothing_pass_and_healing_lets_the_hosts_meet_again() -> None:
    net, on_air, viewer = pair()
    show(net, on_air, 3)
    net.cut([on_air], [viewer])
    show(net, on_air, 25, first=4)
    assert pieces(viewer) == [1, 2, 3]
    assert not viewer.ends
    assert not on_air.ends
    net.heal()
    net.run_until(net.now + 20)
    show(net, on_air, 3, first=29)
    net.run_until(net.now + 1)
    assert pieces(viewer)[-3:] == [29, 30, 31]


def test_a_cut_between_two_groups_does_not_touch_links_within_them() -> None:
    net = MemoryNet(1)
    on_air, near, far = source(net), host(net, "near"), host(net, "far")
    for viewer in (near, far):
        watch(net, viewer, on_air.address)
    net.run_until(1.0)
    net.cut([far], [on_air, near])
    show(net, on_air, 5)
    net.run_until(net.now + 1)
    assert pieces(near) == [1, 2, 3, 4, 5]
    assert pieces(far) == []


def test_a_closed_link_ends_at_both_ends() -> None:
    net, on_air, viewer = pair()
    net.call(viewer, lambda node, now: node.leave(STREAM, now))
    net.run_until(net.now + 1)
    assert not viewer.ends
    assert not on_air.ends
    status = on_air.node.status(STREAM)
    assert status is not None
    assert status.peers == ()


def test_loss_delays_and_loses_nothing() -> None:
    net, on_air, viewer = pair(Line(loss=0.3))
    show(net, on_air, 10)
    net.run_until(net.now + 2)
    assert pieces(viewer) == list(range(1, 11))


def test_equal_seeds_make_equal_worlds_and_one_more_host_changes_nobodys_luck() -> None:
    draws = [MemoryNet(seed).random("host/viewer").random() for seed in (7, 7, 8)]
    assert draws[0] == draws[1] != draws[2]
    first, second = (pair(seed=7)[2] for _ in range(2))
    assert [at for at, _ in first.news] == [at for at, _ in second.news]


def test_a_host_is_shown_by_its_name() -> None:
    _, _, viewer = pair()
    assert repr(viewer) == "Host('viewer')"


@pytest.mark.parametrize("house", [0, 1])
def test_hosts_of_one_house_share_its_line(house: int) -> None:
    net, thin = MemoryNet(1), Line(uplink_bps=600_000)
    sources = [source(net, thin, name, house) for name in ("one", "two")]
    for number, on_air in enumerate(sources):
        watch(net, host(net, f"viewer{number}"), on_air.address)
    net.run_until(1.0)
    sent_before = sum(on_air.sent_bytes for on_air in sources)
    for number in range(1, 26):
        for on_air in sources:
            publish(net, on_air, number)
        net.run_until(net.now + 0.2)
    sent = [on_air.sent_bytes for on_air in sources]
    lines = (sum(sent) - sent_before) * 8 / (5 * thin.uplink_bps)
    assert (lines < 1.1) is bool(house), "as much as one line carries, or more"
    assert min(sent) > 0.3 * max(sent), "and nobody nothing of it"
