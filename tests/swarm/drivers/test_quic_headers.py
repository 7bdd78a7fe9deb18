"""Reading the parts of a datagram that are not encrypted."""

from hypothesis import given
from hypothesis import strategies as st

from swarm.drivers.quic.headers import destination_of, initial_of, is_first, one_destination

ID = bytes(range(8))
INITIAL = b"\xc3\0\0\0\1\x08" + ID


def _short(destination: bytes, size_bytes: int = 100) -> bytes:
    return (b"\x41" + destination).ljust(size_bytes, b"x")


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_have_a_destination_that_is_part_of_them(datagram: bytes) -> None:
    assert destination_of(datagram) in datagram


def test_the_destination_of_both_forms() -> None:
    assert destination_of(_short(ID)) == ID
    assert destination_of(INITIAL + b"rest") == ID


def test_only_a_full_initial_of_version_1_opens_a_connection() -> None:
    full = INITIAL.ljust(1200, b"x")
    assert is_first(full, 1200, ID)
    assert not is_first(full[:1199], 1199, ID)
    assert not is_first(full, 600, ID)
    assert not is_first(b"\xe3" + full[1:], 1200, ID)
    assert not is_first(full[:4] + b"\2" + full[5:], 1200, ID)
    assert not is_first(full, 1200, ID[:7])
    assert not is_first(full, 1200, bytes(21))


def test_datagrams_of_two_links_are_told_apart() -> None:
    other = bytes(8)
    assert one_destination(_short(ID) * 3 + _short(ID, 50), 100)
    assert not one_destination(_short(ID) + _short(other), 100)
    assert not one_destination(_short(ID) + INITIAL.ljust(100, b"x"), 100)
    assert not one_destination(INITIAL.ljust(100, b"x") * 2, 100)


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=300))
def test_a_first_packet_tells_both_ids_and_its_token(destination: bytes, source: bytes, token: bytes) -> None:
    length = (0x4000 | len(token)).to_bytes(2, "big")
    ids = bytes([len(destination)]) + destination + bytes([len(source)]) + source
    datagram = (b"\xc3\0\0\0\1" + ids + length + token).ljust(1200, b"x")
    assert initial_of(datagram) == (destination, source, token)


@given(st.binary(min_size=1180, max_size=1300))
def test_any_first_packet_is_read_or_refused(rest: bytes) -> None:
    datagram = INITIAL + rest
    initial = initial_of(datagram)
    assert initial is None or (initial.source in datagram and initial.token in datagram)


def test_a_token_longer_than_the_datagram_is_refused() -> None:
    assert initial_of((INITIAL + b"\0" + b"\x7f\xff").ljust(1200, b"x")) is None
