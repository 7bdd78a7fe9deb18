"""Offers of real senders are answered; what is none, or cannot be taken, is refused with a word."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.errors import OfferUnusable
from gateway.ingest.webrtc.sdp import Endpoint, choose, make_answer, read_offer
from tests.gateway.ingest.webrtc.offers import FINGERPRINT, PASSWORD, browser_offer, ffmpeg_offer, obs_offer

ENDPOINT = Endpoint(
    number=7,
    ice_name="ours",
    ice_password="q" * 24,
    fingerprint="CD:EF",
    addresses=(("192.0.2.1", 8891), ("::1", 8891)),
)


def answer_to(text: str) -> list[str]:
    offer = read_offer(text)
    return make_answer(offer, choose(offer), ENDPOINT).split("\r\n")


@pytest.mark.parametrize(
    ("text", "picture", "repair", "setup"),
    [(browser_offer(), 108, 109, "actpass"), (obs_offer(), 96, None, "actpass"), (ffmpeg_offer(), 106, 105, "passive")],
)
def test_what_senders_offer_is_understood(text: str, picture: int, repair: int | None, setup: str) -> None:
    offer = read_offer(text)
    terms = choose(offer)
    assert (offer.ice_name, offer.ice_password, offer.fingerprint) == ("theirs", PASSWORD, FINGERPRINT)
    assert (terms.picture.format.payload_type, terms.picture.repair_type) == (picture, repair)
    assert terms.sound is not None
    assert terms.sound.format.payload_type == 111
    assert offer.setup == setup


def test_a_browser_is_answered_with_one_picture_and_one_sound() -> None:
    lines = answer_to(browser_offer())
    assert [line for line in lines if line.startswith("m=")] == [
        "m=audio 8891 UDP/TLS/RTP/SAVPF 111",
        "m=video 8891 UDP/TLS/RTP/SAVPF 108 109",
    ]
    for line in ("a=group:BUNDLE 0 1", "a=ice-lite", "a=ice-ufrag:ours", "a=fingerprint:sha-256 CD:EF"):
        assert line in lines
    assert lines.count("a=setup:passive") == lines.count("a=recvonly") == lines.count("a=rtcp-mux") == 2
    assert "a=rtcp-fb:108 nack pli" in lines
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    assert [line.split()[4:6] for line in candidates] == [["192.0.2.1", "8891"], ["::1", "8891"]]


def test_who_waits_for_the_first_word_gets_it() -> None:
    assert answer_to(ffmpeg_offer()).count("a=setup:active") == 2


def test_what_is_not_taken_has_port_0() -> None:
    silent = browser_offer().replace("opus/48000/2", "L16/48000/2")
    lines = answer_to(silent)
    assert "m=audio 0 UDP/TLS/RTP/SAVPF 111" in lines
    assert "a=group:BUNDLE 1" in lines
    assert any(line.startswith("a=candidate:") for line in lines)


@pytest.mark.parametrize("codec", ["H265", "AV1", "VP9"])
def test_another_picture_than_h264_is_refused_by_its_name(codec: str) -> None:
    with pytest.raises(OfferUnusable, match=f"offered are {codec}"):
        choose(read_offer(obs_offer(codec)))


@pytest.mark.parametrize(
    ("there", "instead", "what"),
    [
        ("v=0", "v=1", "no session description"),
        ("a=ice-pwd:", "a=ice-pwd:x\r\na=", "password"),
        ("a=ice-ufrag:", "a=nothing:", "name for ICE"),
        ("sha-256", "sha-1", "fingerprint"),
        ("a=setup:actpass", "a=setup:holdconn", "who begins"),
        ("a=group:BUNDLE", "a=group:LS", "bundle"),
        ("a=sendonly", "a=recvonly", "there is none"),
        ("a=rtcp-mux", "a=rtcp-mix", "there is none"),
        ("a=mid:1", "a=mid:<script>", "name of a track"),
        ("m=video", "x=video", "there is none"),
    ],
)
def test_an_offer_that_cannot_be_connected_is_refused(there: str, instead: str, what: str) -> None:
    text = browser_offer()
    assert there in text
    with pytest.raises(OfferUnusable, match=what):
        choose(read_offer(text.replace(there, instead)))


def test_parameter_sets_may_be_told_beforehand() -> None:
    text = obs_offer().replace("packetization-mode=1", "packetization-mode=1;sprop-parameter-sets=Z0LAHg==,aM48gA==")
    assert choose(read_offer(text)).picture.parameter_sets == (b"\x67\x42\xc0\x1e", b"\x68\xce\x3c\x80")


@given(
    st.lists(
        st.one_of(st.sampled_from(browser_offer().split("\r\n")), st.text(max_size=40).map("a=".__add__)), max_size=60
    )
)
def test_anything_is_answered_or_refused(lines: list[str]) -> None:
    with suppress(OfferUnusable):
        assert answer_to("\r\n".join(["v=0", *lines]))[0] == "v=0"
