"""HTTP trackers' requests and answers, as the BEPs have them and as liars do."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.discovery import bencode
from swarm.discovery.announces import ANSWER_PEERS_MAX, Announce, Answer, Counts, Event
from swarm.discovery.http_tracker import announce_path, read_answer, read_scrape, scrape_path
from swarm.errors import TrackerError
from swarm.tracker_url import parse_tracker
from swarm.units import Address

TARGET = bytes(range(240, 260 - 4)) + b"\x00 &?"
ANNOUNCE = Announce(target=TARGET, peer_id=b"-SC0100-abcdefghijkl", key=0xABC, port=4000, is_source=False)
PEER = bytes((192, 0, 2, 7)) + b"\x0f\xa0"


def test_an_announce_tells_target_and_port_and_nothing_of_the_viewer() -> None:
    path, _, query = announce_path(parse_tracker("http://t.example/announce"), ANNOUNCE).partition("?")
    told = {name: values[0] for name, values in parse_qs(query, encoding="latin-1", keep_blank_values=True).items()}
    assert path == "/announce"
    assert told == {
        "info_hash": TARGET.decode("latin-1"),
        "peer_id": "-SC0100-abcdefghijkl",
        "port": "4000",
        "uploaded": "0",
        "downloaded": "0",
        "left": "1",
        "compact": "1",
        "numwant": "50",
        "key": "00000abc",
    }


@pytest.mark.parametrize(
    ("event", "end"),
    [(Event.STARTED, "&event=started"), (Event.STOPPED, "numwant=0&key=00000abc&event=stopped"), (Event.NONE, "abc")],
)
def test_an_event_is_told(event: Event, end: str) -> None:
    announce = Announce(target=TARGET, peer_id=bytes(20), key=0xABC, port=4000, is_source=True, event=event)
    path = announce_path(parse_tracker("http://t.example/announce?pass=1"), announce)
    assert path.startswith("/announce?pass=1&info_hash=")
    assert "left=0" in path
    assert path.endswith(end)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://t.example/announce", "/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa"),
        ("http://t.example/x/announce.php?k=1", "/x/scrape.php?k=1&info_hash=aaaaaaaaaaaaaaaaaaaa"),
        ("http://t.example/a", None),
    ],
)
def test_the_scrape_is_where_bep_48_has_it(url: str, path: str | None) -> None:
    assert scrape_path(parse_tracker(url), b"a" * 20) == path


def test_a_whole_answer_is_read() -> None:
    answer: dict[bytes, bencode.Value] = {
        b"interval": 1800,
        b"min interval": 900,
        b"complete": 1,
        b"incomplete": 7,
        b"peers": PEER,
        b"peers6": bytes.fromhex("20010db8000000000000000000000007") + b"\x0f\xa1",
        b"external ip": bytes((198, 51, 100, 1)),
        b"tracker id": b"x",
    }
    assert read_answer(bencode.encode(answer)) == Answer(
        interval_s=1800,
        min_interval_s=900,
        sources=1,
        viewers=7,
        peers=(Address("2001:db8::7", 4001), Address("192.0.2.7", 4000)),
        seen_at="198.51.100.1",
    )


def test_listed_peers_are_read_and_names_are_not_looked_up() -> None:
    listed: list[bencode.Value] = [
        {b"ip": b"192.0.2.7", b"port": 4000, b"peer id": b"x"},
        {b"ip": b"victim.example", b"port": 80},
        {b"ip": b"2001:DB8::7", b"port": 4001},
        {b"ip": b"192.0.2.8", b"port": 0},
    ]
    answer = read_answer(bencode.encode({b"interval": 60, b"peers": listed}))
    assert answer.peers == (Address("192.0.2.7", 4000), Address("2001:db8::7", 4001))


def test_of_ten_thousand_peers_a_few_are_looked_at() -> None:
    assert len(read_answer(bencode.encode({b"peers": PEER * 10_000})).peers) == ANSWER_PEERS_MAX
    listed: list[bencode.Value] = [{b"ip": b"192.0.2.7", b"port": 4000}] * 10_000
    assert len(read_answer(bencode.encode({b"peers": listed})).peers) == ANSWER_PEERS_MAX


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (b"<html>not found</html>", "bencoding"),
        (b"i1e", "makes no sense"),
        (bencode.encode({b"failure reason": b"go \x1b[31maway\n"}), r"it says: go  \[31maway$"),
        (bencode.encode({b"interval": b"soon"}), "interval is no number"),
        (bencode.encode({b"peers": PEER[:5]}), "cut short"),
        (bencode.encode({b"peers": 5}), "list of peers makes no sense"),
        (bencode.encode({b"peers": [b"x"]}), "list of peers makes no sense"),
        (bencode.encode({b"peers6": []}), "list of peers makes no sense"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(answer: bytes, wrong: str) -> None:
    with pytest.raises(TrackerError, match=wrong):
        read_answer(answer)


def test_a_scrape_counts_sources_and_viewers() -> None:
    files: dict[bytes, bencode.Value] = {TARGET: {b"complete": 2, b"incomplete": 300, b"downloaded": 4}}
    assert read_scrape(bencode.encode({b"files": files}), TARGET) == Counts(sources=2, viewers=300)
    assert read_scrape(bencode.encode({b"files": {}}), TARGET) == Counts(sources=0, viewers=0)
    with pytest.raises(TrackerError):
        read_scrape(bencode.encode({b"files": 1}), TARGET)


@given(
    st.dictionaries(
        st.sampled_from([b"interval", b"min interval", b"peers", b"peers6", b"external ip", b"complete", b"files"]),
        st.one_of(st.integers(-5, 10**12), st.binary(max_size=40), st.lists(st.binary(max_size=3), max_size=3)),
    )
)
def test_any_dictionary_gives_an_answer_or_a_fault(values: dict[bytes, bencode.Value]) -> None:
    for read in (read_answer, lambda data: read_scrape(data, TARGET)):
        try:
            read(bencode.encode(values))
        except TrackerError:
            continue
