"""Streams for ticket holders, in whole swarms: keys come from peers, in time, and only to whom they are due."""

from collections import Counter
from dataclasses import dataclass

from swarm import wire
from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.events import ManifestReady, PieceReady, Send
from swarm.sealer import Sealing
from swarm.sealing import Admission, read_head
from swarm.sim.world import WALL_S, Show, World
from swarm.tickets import Ticket, sign_ticket, viewer_key

LINE = Line(uplink_bps=20e6)
ROTATION_S = 10
FAR_S = int(WALL_S) + 10_000


@dataclass
class Audience:
    """A show for ticket holders, the holders, and relays that have none."""

    world: World
    holders: list[Host]
    relays: list[Host]
    tickets: dict[str, Ticket]


def admit(world: World, host: Host, expires_s: int = FAR_S) -> Ticket:
    """Give a viewer a ticket, and have it shown."""
    secret = world.net.random(f"viewer/{host.name}").randbytes(32)
    serial = world.net.random(f"serial/{host.name}").randbytes(8)
    ticket = sign_ticket(world.owner, serial=serial, viewer=viewer_key(secret), expires_s=expires_s)
    world.net.call(host, lambda node, _: node.members.show(world.stream, ticket.data, secret))
    return ticket


def audience(holders: int, relays: int, *, seed: int = 1, until_s: float = 5.0) -> Audience:
    world = World(seed=seed, show=Show(bitrate_bps=500_000, piece_s=0.4, k=4, n=6, key_every=3))
    world.sealing = Sealing(admission=Admission.TICKET, session=b"session1", root=b"r" * 32, rotation_s=ROTATION_S)
    world.broadcast()
    hosts, tickets = [], {}
    for number in range(holders + relays):
        host = world.add_viewer(LINE)
        hosts.append(host)
        # Those without a key stand between those who have one.
        if number * relays // (holders + relays) == (number + 1) * relays // (holders + relays):
            tickets[host.name] = admit(world, host)
        world.run(2.0 / (holders + relays))
    world.net.run_until(until_s)
    having = [host for host in hosts if host.name in tickets]
    return Audience(world, having, [host for host in hosts if host.name not in tickets], tickets)


def pieces(host: Host, since_s: float = 0.0) -> dict[int, tuple[float, PieceReady]]:
    return {news.number: (at, news) for at, news in host.news if isinstance(news, PieceReady) and at >= since_s}


def plain(host: Host, since_s: float = 0.0) -> list[int]:
    return [number for number, (_, news) in pieces(host, since_s).items() if news.payload]


def is_locked(host: Host) -> bool:
    return [news.locked for _, news in host.news if isinstance(news, ManifestReady)][-1]


def count_grants(hosts: list[Host]) -> Counter[str]:
    """Who gives how many keys from now on."""
    grants: Counter[str] = Counter()
    for host in hosts:

        def count(send: Send, name: str = host.name) -> Send:
            grants[name] += isinstance(wire.decode(send.data), wire.KeyGrant) if send.data[0] != wire.BLOCK else False
            return send

        host.temper = count
    return grants


def test_thirty_viewers_of_whom_ten_carry_what_they_cannot_read_and_one_is_revoked() -> None:
    a = audience(20, 10)
    world, revoked = a.world, a.holders[7]
    assert len(a.holders) == 20
    assert len(a.relays) == 10
    grants = count_grants([world.source, *a.holders])
    revoked_s = world.net.now + 1.0
    world.net.run_until(revoked_s)
    serials = [a.tickets[revoked.name].serial]
    world.net.call(world.source, lambda node, now: node.members.revoke(world.stream, serials, now))
    world.net.run_until(revoked_s + ROTATION_S + 6)

    assert plain(revoked, revoked_s), "what it has the key of it may still see"
    last_s = max(at for at, news in pieces(revoked).values() if news.payload)
    assert last_s - revoked_s <= ROTATION_S
    assert is_locked(revoked)
    assert pieces(revoked, last_s + 1.0), "it goes on carrying"

    first = min(number for number, at in world.published.items() if at > 5.0)
    due = {number for number, at in world.published.items() if number >= first and at < world.net.now - 2.0}
    for host in a.holders:
        if host is revoked:
            continue
        got = pieces(host)
        assert due <= set(plain(host)), f"{host.name} misses {sorted(due - set(plain(host)))[:5]}"
        assert all(got[number][1].payload == world.payload(number) for number in list(due)[:20])
        late = [got[number][0] - world.published[number] for number in due]
        assert max(late) < 1.5, f"{host.name} waited {max(late):.2f} s for a piece"
        assert not is_locked(host)
    for host in a.relays:
        assert pieces(host)
        assert plain(host) == []
        assert is_locked(host)
    periods = {read_head(news.sealed)[0].period for _, news in pieces(a.relays[0]).values()}
    assert len(periods) >= 3, "keys were changed meanwhile"
    assert grants["source"] < sum(grants.values()) * 2 / 3, f"viewers give keys to each other: {grants}"
    everybody = [world.source, *a.holders, *a.relays]
    assert all(not host.node.faults for host in everybody), "nobody was taken for a liar"


def test_a_ticket_that_expires_ends_with_its_period() -> None:
    a = audience(3, 1, until_s=5.0)
    world = a.world
    late = world.add_viewer(LINE)
    expires_s = int(WALL_S + world.net.now) + 4
    admit(world, late, expires_s)
    world.run(3.0)
    assert plain(late)
    world.run(4.0 + 1.5 * ROTATION_S)
    last_s = max(at for at, news in pieces(late).values() if news.payload)
    assert last_s + WALL_S - expires_s <= ROTATION_S
    assert is_locked(late)
    assert all(plain(host, last_s + 2.0) for host in a.holders)


def test_an_expired_ticket_opens_nothing_however_wrong_the_viewers_clock_is() -> None:
    """Only what the source has signed counts: the clocks of viewers and relays may be off by anything."""
    a = audience(2, 0, until_s=4.0)
    late = a.world.add_viewer(LINE)
    late.node.members._wall_offset_s -= 3600.0
    admit(a.world, late, int(WALL_S) - 60)
    a.world.run(4.0)
    assert pieces(late)
    assert plain(late) == []
    assert is_locked(late)


def test_a_newcomer_gets_its_key_from_another_viewer_when_the_source_is_gone() -> None:
    a = audience(4, 0, until_s=6.0)
    world = a.world
    world.net.kill(world.source)
    late = world.add_viewer(LINE, [host.address for host in a.holders])
    ticket = admit(world, late)
    assert ticket.serial
    world.run(2.0)
    assert plain(late)


def test_a_new_ticket_after_a_revoked_one_opens_the_stream_again() -> None:
    a = audience(3, 0)
    world, host = a.world, a.holders[0]
    serials = [a.tickets[host.name].serial]
    world.net.call(world.source, lambda node, now: node.members.revoke(world.stream, serials, now))
    world.run(ROTATION_S + 2.0)
    assert is_locked(host)
    secret = b"n" * 32
    ticket = sign_ticket(world.owner, serial=b"serial n", viewer=viewer_key(secret), expires_s=FAR_S)
    world.net.call(host, lambda node, _: node.members.show(world.stream, ticket.data, secret))
    at = world.net.now
    world.run(3.0)
    assert not is_locked(host)
    assert plain(host, at + 1.0)
