"""The gateway's own tracker as its clients see it: asked by our own client's words, read by our own reader."""

from collections.abc import Collection
from random import Random

from gateway.tracker.desk import TrackerDesk
from gateway.tracker.rates import BURST, RATE, WATCHED_MAX, Rates
from gateway.tracker.roster import INTERVAL_S, MIN_INTERVAL_S
from swarm.discovery import bencode
from swarm.discovery.announces import Announce, Answer, Counts, Event
from swarm.discovery.http_tracker import announce_path, read_answer, read_scrape, scrape_path
from swarm.tracker_url import parse_tracker
from swarm.units import Address

TRACKER = parse_tracker("http://192.0.2.1:8080/announce")
WATCHED, OWN, UNKNOWN = b"w" * 20, b"o" * 20, b"u" * 20
HERE = Address("8.8.4.1", 7000)


class World:
    def __init__(self, *, is_open: bool = False) -> None:
        self.now = 0.0
        self.looks = 0
        self.streams: dict[bytes, Collection[Address]] = {WATCHED: (), OWN: (HERE, Address("192.168.1.5", 7000))}
        self.desk = TrackerDesk(self.known, is_open=is_open, rng=Random(1), clock=lambda: self.now)

    def known(self) -> dict[bytes, Collection[Address]]:
        self.looks += 1
        return self.streams

    def raw(self, target: bytes, host: str, port: int = 4000, event: Event = Event.STARTED) -> bytes:
        announce = Announce(target=target, peer_id=b"p" * 20, key=1, port=port, is_source=False, event=event)
        return self.desk.announce(announce_path(TRACKER, announce).partition("?")[2].encode(), host)

    def ask(self, target: bytes, host: str, port: int = 4000, event: Event = Event.STARTED) -> Answer:
        return read_answer(self.raw(target, host, port, event))

    def scrape(self, target: bytes) -> Counts:
        path = scrape_path(TRACKER, target)
        assert path is not None
        return read_scrape(self.desk.scrape(path.partition("?")[2].encode(), "8.8.8.8"), target)


def test_two_peers_learn_of_each_other_and_where_they_are_seen() -> None:
    world = World()
    first = world.ask(WATCHED, "8.8.8.8")
    assert (first.peers, first.seen_at, first.interval_s, first.min_interval_s) == (
        (),
        "8.8.8.8",
        INTERVAL_S,
        MIN_INTERVAL_S,
    )
    assert world.ask(WATCHED, "9.9.9.9", 5000).peers == (Address("8.8.8.8", 4000),)
    assert world.scrape(WATCHED) == Counts(sources=0, viewers=2)
    world.ask(WATCHED, "9.9.9.9", 5000, Event.STOPPED)
    assert world.scrape(WATCHED) == Counts(sources=0, viewers=1)
    assert world.ask(WATCHED, "2600::1").seen_at == "2600::1"


def test_the_gateway_itself_is_told_as_the_source_of_its_own_streams() -> None:
    world = World()
    answer = world.ask(OWN, "8.8.8.8")
    assert (answer.peers, answer.sources, answer.viewers) == ((HERE,), 1, 1)
    assert set(world.ask(OWN, "192.168.1.7").peers) == {HERE, Address("192.168.1.5", 7000), Address("8.8.8.8", 4000)}
    assert world.scrape(OWN) == Counts(sources=1, viewers=2)


def test_streams_that_it_does_not_know_are_refused_unless_it_is_open() -> None:
    assert b"does not know that stream" in World().raw(UNKNOWN, "8.8.8.8")
    assert len(World().desk.roster) == 0
    assert World().scrape(UNKNOWN) == Counts(sources=0, viewers=0)
    assert World(is_open=True).ask(UNKNOWN, "8.8.8.8").viewers == 1


def test_which_streams_are_known_is_looked_up_once_a_second_however_many_ask() -> None:
    world = World()
    for number in range(50):
        world.raw(UNKNOWN, f"8.8.8.{number}")
    assert world.looks == 1
    world.streams[UNKNOWN] = ()
    world.now = 1.0
    assert world.ask(UNKNOWN, "8.8.8.8").viewers == 1


def test_nonsense_is_refused_in_a_sentence() -> None:
    refused = bencode.decode(World().desk.announce(b"info_hash=x", "8.8.8.8"))
    assert refused == {b"failure reason": b"info_hash has 20 bytes"}
    assert b"failure reason" in World().desk.scrape(b"", "8.8.8.8")


def test_who_asks_too_often_is_told_when_to_come_again_and_others_are_served() -> None:
    world = World()
    answers = [world.raw(WATCHED, "8.8.8.8") for _ in range(int(BURST) + 1)]
    assert b"too often" not in b"".join(answers[:-1])
    assert bencode.decode(answers[-1]) == {b"failure reason": b"asked too often from this address", b"retry in": 1}
    assert b"too often" in world.desk.scrape(b"", "8.8.8.8")
    assert b"too often" not in world.raw(WATCHED, "8.8.8.9")
    world.now = 2 / RATE
    assert b"too often" not in world.raw(WATCHED, "8.8.8.8")


def test_one_ipv6_prefix_is_one_asker() -> None:
    world = World()
    answers = [world.raw(WATCHED, f"2600:1:2::{number:x}") for number in range(1, int(BURST) + 2)]
    assert b"too often" in answers[-1]


def test_the_memory_of_askers_is_bounded() -> None:
    rates = Rates()
    for number in range(WATCHED_MAX + 100):
        rates.admits(Address(f"9.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0), 0.0)
    assert len(rates._until_s) == WATCHED_MAX
