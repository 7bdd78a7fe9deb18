"""Payloads of RFC 6184 become pictures; after a loss there are none until the next key frame."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.webrtc.h264 import START_CODE, Picture, Pictures
from gateway.ingest.webrtc.rtp import RtpPacket
from tests.gateway.ingest.webrtc.sender import KEY_SLICE, OTHER_SETS, SETS, SLICE, Camera


def joined(*units: bytes) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


def feed(pictures: Pictures, packets: list[RtpPacket]) -> list[Picture]:
    return [picture for packet in packets for picture in pictures.feed(packet)]


def payloads(*data: bytes, timestamp: int = 1) -> list[RtpPacket]:
    return [RtpPacket(96, unit is data[-1], n, timestamp, 7, unit) for n, unit in enumerate(data)]


def test_a_key_frame_comes_with_its_parameter_sets() -> None:
    camera, pictures = Camera(), Pictures()
    assert feed(pictures, camera.picture()) == []
    (key,) = feed(pictures, camera.picture(key=True))
    assert (key.key, key.data) == (True, joined(*SETS, KEY_SLICE))
    (picture,) = feed(pictures, camera.picture())
    assert (picture.key, picture.data) == (False, joined(SLICE))


def test_sets_that_were_told_before_are_put_in_front() -> None:
    (key,) = feed(Pictures(SETS), Camera().picture(key=True, sets=()))
    assert key.data == joined(*SETS, KEY_SLICE)


def test_other_sets_take_the_place_of_those_with_their_number() -> None:
    camera, pictures = Camera(), Pictures(SETS)
    (key,) = feed(pictures, camera.picture(key=True, sets=OTHER_SETS))
    assert key.data == joined(*OTHER_SETS, KEY_SLICE)


def test_fragments_and_aggregates_are_taken_apart() -> None:
    aggregate = b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in SETS)
    first, middle, last = b"\x7c\x85" + KEY_SLICE[1:9], b"\x7c\x05" + KEY_SLICE[9:20], b"\x7c\x45" + KEY_SLICE[20:]
    (key,) = feed(Pictures(), payloads(aggregate, first, middle, last))
    assert key.data == joined(*SETS, KEY_SLICE)


def test_a_picture_without_a_marker_ends_with_the_next() -> None:
    camera, pictures = Camera(), Pictures(SETS)
    unmarked = [replace(packet, marker=False) for packet in camera.picture(key=True)]
    assert feed(pictures, unmarked) == []
    assert [picture.key for picture in feed(pictures, camera.picture())] == [True, False]


def test_after_a_loss_only_a_key_frame_goes_on() -> None:
    camera, pictures = Camera(), Pictures()
    feed(pictures, camera.picture(key=True))
    assert pictures.feed(None) == []
    assert feed(pictures, camera.picture()) == []
    assert pictures.waits_for_key
    assert feed(pictures, camera.picture()) == []
    assert [picture.key for picture in feed(pictures, camera.picture(key=True))] == [True]
    assert not pictures.waits_for_key


def test_a_fragment_without_its_beginning_is_a_loss() -> None:
    pictures = Pictures(SETS)
    assert feed(pictures, payloads(b"\x7c\x45rest")) == []
    assert feed(pictures, payloads(KEY_SLICE, b"\x7c\x45rest", timestamp=2)) == []


@given(st.lists(st.one_of(st.none(), st.binary(max_size=30), st.sampled_from([*SETS, KEY_SLICE, SLICE])), max_size=30))
def test_any_payloads_give_pictures_or_nothing(data: list[bytes | None]) -> None:
    pictures, first = Pictures(), True
    for number, payload in enumerate(data):
        packet = None if payload is None else RtpPacket(96, number % 2 == 0, number, number // 3, 7, payload)
        for picture in pictures.feed(packet):
            assert picture.data.startswith(START_CODE)
            assert picture.key or not first
            first = False
