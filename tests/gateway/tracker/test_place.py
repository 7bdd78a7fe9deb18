"""Whether links may name the gateway's own tracker, and where."""

from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.tracker.place import own_tracker
from swarm.units import Address

PUBLIC, HOUSE, SIX = Address("8.8.4.1", 7000), Address("192.168.1.5", 7000), Address("2600::1", 7000)


def place(*addresses: Address, **settings: object) -> str | None:
    found = own_tracker(Settings.model_validate({"data_dir": Path("/nowhere"), **settings}), addresses)
    return str(found) if found is not None else None


def test_a_gateway_that_others_reach_is_named() -> None:
    assert place(PUBLIC, host="0.0.0.0") == "http://8.8.4.1:8080/announce"
    assert place(HOUSE, SIX, host="::", port=9000) == "http://[2600::1]:9000/announce"
    assert place(HOUSE, host="8.8.4.1") == "http://8.8.4.1:8080/announce"
    assert place(HOUSE, tracker_url="https://tv.example/announce") == "https://tv.example/announce"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"host": "localhost"},
        {"host": "192.168.1.5"},
        {"host": "0.0.0.0", "tracker": "off"},
        {"host": "0.0.0.0", "port": 81},
        {"tracker_url": "https://tv.example/announce", "tracker": "off"},
    ],
)
def test_a_gateway_that_nobody_reaches_is_not(settings: dict[str, object]) -> None:
    assert place(PUBLIC, **settings) is None


def test_an_address_of_the_house_is_not_named() -> None:
    assert place(HOUSE, host="0.0.0.0") is None
