"""Of two links to one peer the same one stays at both ends."""

from itertools import product

from swarm.events import LinkInfo
from swarm.links import RACE_S, is_needless, keeps_old
from swarm.peers import Peer
from swarm.units import Address, LinkId, PeerId

V4, V6 = Address("8.1.1.1", 4000), Address("2a00:1::1", 4000)


def peer(address: Address, *, dialled: bool) -> Peer:
    return Peer(LinkId(1), PeerId(bytes(32)), address, dialled, False, 100.0)


def info(address: Address, *, dialled: bool) -> LinkInfo:
    return LinkInfo(dialled=dialled, address=address, binding=b"", peer=PeerId(bytes(32)) if dialled else None)


def test_both_ends_come_to_the_same() -> None:
    addresses, sides = product((V4, V6), repeat=2), product((False, True), repeat=3)
    for (old, new), (old_mine, new_mine, lower) in product(addresses, sides):
        here = keeps_old(peer(old, dialled=old_mine), info(new, dialled=new_mine), mine_is_lower=lower, now=100.5)
        there = keeps_old(
            peer(old, dialled=not old_mine), info(new, dialled=not new_mine), mine_is_lower=not lower, now=100.5
        )
        assert here is there


def test_of_dials_in_both_families_at_once_ipv6_stays() -> None:
    for dialled in (False, True):
        first = peer(V6, dialled=dialled)
        assert keeps_old(first, info(V4, dialled=dialled), mine_is_lower=True, now=100.0 + RACE_S / 2)
        assert not keeps_old(first, info(V4, dialled=dialled), mine_is_lower=True, now=100.0 + RACE_S)
        assert not keeps_old(peer(V4, dialled=dialled), info(V6, dialled=dialled), mine_is_lower=True, now=100.0)


def test_a_dial_is_needless_once_the_peer_has_come_itself() -> None:
    assert is_needless(peer(V4, dialled=False), info(V4, dialled=True))
    assert not is_needless(peer(V4, dialled=True), info(V4, dialled=True))
    assert not is_needless(peer(V4, dialled=False), info(V4, dialled=False))
    assert not is_needless(None, info(V4, dialled=True))
