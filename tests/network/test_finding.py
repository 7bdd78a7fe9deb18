"""What the viewers of `make e2e-network ARGS=finding` are given: a link that leads by one way alone."""

import pytest

from swarm.link import Link, parse_link
from swarm.units import Address, StreamId
from tests.network.finding import RELAYS, WAYS, Way, bare, viewer_house
from tests.network.servers import DHT_HOUSES, TRACKER, tracker_url
from tests.network.source import SOURCE

LINK = Link(StreamId(bytes(31) + b"\x01"), "Test bed", peers=(Address("44.0.1.2", 7000),))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_viewer_has_no_address_and_one_way(way: Way) -> None:
    link = parse_link(bare(LINK, way))
    assert not link.peers
    assert len(link.trackers) + len(way.settings.keys() & {"SEEDCAST_DHT", "SEEDCAST_LAN"}) == 1


def test_a_tracker_is_named_by_its_scheme() -> None:
    link = parse_link(bare(LINK, WAYS["tracker over HTTP"]))
    assert [str(tracker) for tracker in link.trackers] == [tracker_url("http")]


def test_no_two_houses_have_one_number() -> None:
    houses = [SOURCE, TRACKER, *DHT_HOUSES, *RELAYS, *(viewer_house(number) for number in range(100))]
    assert len({house.number for house in houses}) == len({house.name for house in houses}) == len(houses)
