"""A tracker's URL has one spelling, and a hostile one is refused with the reason."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarm.errors import LinkError
from swarm.tracker_url import TRACKER_CHARS_MAX, TrackerUrl, parse_tracker


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("udp://tracker.example:6969", "udp://tracker.example:6969"),
        ("udp://tracker.example:6969/announce", "udp://tracker.example:6969/announce"),
        ("UDP://Tracker.Example:80/Path", "udp://tracker.example:80/Path"),
        ("http://tracker.example", "http://tracker.example/announce"),
        ("http://tracker.example:80/announce?key=1", "http://tracker.example/announce?key=1"),
        ("https://tracker.example:443/a", "https://tracker.example/a"),
        ("https://tracker.example:80/a", "https://tracker.example:80/a"),
        ("http://127.0.0.1:8080/announce", "http://127.0.0.1:8080/announce"),
        ("http://[2001:DB8:0:0::1]:8080/announce", "http://[2001:db8::1]:8080/announce"),
        ("http://tracker:8080/announce", "http://tracker:8080/announce"),
    ],
)
def test_a_trackers_url_has_one_spelling(text: str, spelled: str) -> None:
    tracker = parse_tracker(text)
    assert str(tracker) == spelled
    assert parse_tracker(spelled) == tracker


def test_a_numeric_host_is_known_for_one() -> None:
    assert str(TrackerUrl("udp", "192.0.2.1", 1, "").ip) == "192.0.2.1"
    assert TrackerUrl("udp", "tracker.example", 1, "").ip is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tracker.example:6969",
        "ftp://tracker.example:2121",
        "wss://tracker.example",
        "file:///etc/passwd",
        "udp://tracker.example",
        "udp://tracker.example:0",
        "udp://tracker.example:65536",
        "udp://tracker.example:x",
        "http://user:secret@tracker.example/announce",
        "http://@tracker.example/announce",
        "http://tracker.example/announce#part",
        "http://tracker.example:25/announce",
        "http://tracker.example:53/announce",
        "http:///announce",
        "http://-tracker.example/announce",
        "http://tracker..example/announce",
        "http://127.1/announce",
        "http://2130706433/announce",
        "http://0x7f000001/announce",
        "http://0.0.0.0:8080/announce",
        "http://224.0.0.1:8080/announce",
        "http://[fe80::1%25eth0]:8080/announce",
        "http://[::1/announce",
        "http://tr\u00e4cker.example/announce",
        "http://tracker.example/an nounce",
        "http://tracker.example/\r\nHost:x",
        "http://tracker.example/" + "x" * TRACKER_CHARS_MAX,
    ],
)
def test_what_is_no_trackers_url_is_refused(text: str) -> None:
    with pytest.raises(LinkError, match="no tracker"):
        parse_tracker(text)


@given(st.one_of(st.text(), st.text().map(lambda rest: f"http://{rest}"), st.text().map(lambda rest: f"udp://{rest}")))
@example("http://[")
@example("http://a:\u0661")
def test_any_text_gives_a_tracker_or_link_error(text: str) -> None:
    try:
        tracker = parse_tracker(text)
    except LinkError:
        return
    assert parse_tracker(str(tracker)) == tracker
