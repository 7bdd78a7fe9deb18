"""Who is remembered and told of whom, and that it stays within bounds."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tracker import roster as roster_module
from gateway.tracker.roster import KEPT_S, PER_CROWD_MAX, PER_HOST_MAX, Roster
from swarm.discovery.announces import unpack_peers
from swarm.units import Address

TARGET, OTHER = b"t" * 20, b"o" * 20
ASKER = Address("8.8.8.8", 4000)


def world(number: int) -> Address:
    return Address(f"9.{number >> 8 & 255}.{number & 255}.1", 4000 + (number >> 16))


def told(roster: Roster, asker: Address = ASKER, wanted: int = 50, now: float = 0.0) -> list[Address]:
    answer = roster.tell(TARGET, asker, wanted, now)
    return unpack_peers(answer.peers, 4) + unpack_peers(answer.peers6, 6)


def test_peers_of_a_stream_are_told_of_each_other_and_of_no_other() -> None:
    roster = Roster(Random(1))
    roster.enter(TARGET, world(1), is_source=True, now=0)
    roster.enter(TARGET, Address("2001:db8:1::1", 4001), is_source=False, now=0)
    roster.enter(TARGET, ASKER, is_source=False, now=0)
    roster.enter(OTHER, world(2), is_source=False, now=0)
    assert told(roster) == [world(1)]  # 2001:db8::/32 is nobody's
    roster.enter(TARGET, Address("2600::1", 4001), is_source=False, now=0)
    assert told(roster) == [world(1), Address("2600::1", 4001)]
    assert roster.count(TARGET, 0) == (1, 3)
    assert roster.count(b"n" * 20, 0) == (0, 0)


def test_who_comes_again_counts_once_and_who_goes_is_gone() -> None:
    roster = Roster(Random(1))
    for _ in range(3):
        roster.enter(TARGET, world(1), is_source=False, now=0)
    assert roster.count(TARGET, 0) == (0, 1)
    roster.enter(TARGET, world(1), is_source=True, now=0)
    assert roster.count(TARGET, 0) == (1, 0)
    roster.remove(TARGET, world(1))
    roster.remove(TARGET, world(1))
    assert (roster.count(TARGET, 0), len(roster), told(roster)) == ((0, 0), 0, [])


def test_who_is_silent_is_forgotten() -> None:
    roster = Roster(Random(1))
    roster.enter(TARGET, world(1), is_source=False, now=0)
    roster.enter(TARGET, world(2), is_source=False, now=10)
    assert len(told(roster, now=KEPT_S - 1)) == 2
    assert told(roster, now=KEPT_S) == [world(2)]
    roster.enter(TARGET, world(2), is_source=False, now=KEPT_S)
    assert told(roster, now=KEPT_S + 10) == [world(2)]


def test_an_address_of_the_house_is_told_to_the_house_only() -> None:
    roster = Roster(Random(1))
    for host in ("127.0.0.1", "192.168.1.5", "9.9.9.9"):
        roster.enter(TARGET, Address(host, 5000), is_source=False, now=0)
    assert {peer.host for peer in told(roster)} == {"9.9.9.9"}
    assert {peer.host for peer in told(roster, Address("192.168.1.7", 1))} == {"192.168.1.5", "9.9.9.9"}
    assert {peer.host for peer in told(roster, Address("127.0.0.1", 1))} == {"127.0.0.1", "192.168.1.5", "9.9.9.9"}


def test_luck_tells_each_of_many_as_often() -> None:
    roster = Roster(Random(1))
    for number in range(200):
        roster.enter(TARGET, world(number), is_source=False, now=0)
    times: Counter[Address] = Counter()
    for _ in range(200):
        peers = told(roster)
        assert len(peers) == len(set(peers)) == 50
        times.update(peers)
    assert len(times) == 200
    assert max(times.values()) < 4 * min(times.values())
    assert told(roster, wanted=0) == []


def test_one_prefix_or_one_address_cannot_drown_the_others() -> None:
    roster = Roster(Random(1))
    for number in range(500):
        roster.enter(TARGET, Address("9.9.9.9", 1 + number), is_source=False, now=0)
        roster.enter(TARGET, Address("192.168.1.5", 1 + number), is_source=False, now=0)
    assert roster.count(TARGET, 0) == (0, PER_CROWD_MAX + PER_HOST_MAX)


def test_memory_is_bounded_and_the_oldest_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "ENTRIES_MAX", 100)
    roster = Roster(Random(1))
    for number in range(1000):
        roster.enter(number.to_bytes(20, "big") if number % 2 else TARGET, world(number), is_source=False, now=0)
        assert len(roster) <= 100
    assert roster.count(TARGET, 0) == (0, 50)
    assert len(roster._streams) == 51
    assert set(told(roster)) <= {world(number) for number in range(900, 1000)}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["enter", "enter", "remove", "tell"]),
            st.sampled_from([TARGET, OTHER]),
            st.sampled_from([world(1), world(2), Address("10.0.0.1", 1), Address("2600::1", 1), Address("::1", 1)]),
            st.booleans(),
            st.sampled_from([0.0, 1.0, KEPT_S]),
        ),
        max_size=40,
    )
)
def test_its_books_always_agree(steps: list[tuple[str, bytes, Address, bool, float]]) -> None:
    roster, now = Roster(Random(1)), 0.0
    for step, target, address, is_source, passes_s in steps:
        now += passes_s
        if step == "enter":
            roster.enter(target, address, is_source=is_source, now=now)
        elif step == "remove":
            roster.remove(target, address)
        else:
            roster.tell(target, address, 50, now)
        there = list(roster._entries.values())
        for name, stream in roster._streams.items():
            mine = [entry for entry in there if entry.target == name]
            assert mine
            assert stream.sources + stream.viewers == len(mine) == sum(stream.crowds.values())
            bagged = [entry for bag in stream.bags.values() for entry in bag.entries]
            assert {id(entry) for entry in bagged} == {id(entry) for entry in mine}
            assert all(bag.entries[entry.place] is entry for bag in stream.bags.values() for entry in bag.entries)
        assert {entry.target for entry in there} == set(roster._streams)
