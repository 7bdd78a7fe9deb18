"""What the doctor says: one sentence for each state, and advice where something can be done."""

from dataclasses import replace
from itertools import product

import pytest

from gateway.diagnosis import Facts, Finding, Port, Verdict, diagnose
from swarm.status import FamilyStatus, NetworkStatus, UplinkStatus
from swarm.units import Access, Address

HOME, OUTSIDE, V6 = Address("192.168.1.2", 4000), Address("8.1.1.1", 4000), Address("2a00::7", 4000)
NOTHING = FamilyStatus(access=Access.UNKNOWN, seen=None, links=0)
NETWORK = NetworkStatus(v4=NOTHING, v6=NOTHING, clock_error_s=None, clock_peers=0)
LINE = UplinkStatus(line_bps=5e6, proven=True, cap_bps=0.0, paused=False, sent_bytes=0)
FACTS = Facts(
    streams=1, tried=2, own=(HOME,), forwarded=(), port=Port.REFUSED, upnp_installed=True, network=NETWORK, uplink=None
)


def said(facts: Facts, subject: str) -> Finding:
    (finding,) = (finding for finding in diagnose(facts) if finding.subject == subject)
    return finding


def met(access: Access, *, v6: bool = False, seen: Address = OUTSIDE) -> Facts:
    family = FamilyStatus(access=access, seen=seen, links=3)
    network = replace(NETWORK, v6=family) if v6 else replace(NETWORK, v4=family)
    return replace(FACTS, network=network)


def test_without_a_link_it_says_what_it_cannot_know() -> None:
    finding = said(replace(FACTS, streams=0, tried=0), "peers")
    assert finding.verdict is Verdict.UNKNOWN
    assert "seedcast doctor LINK" in finding.advice
    assert {f.verdict for f in diagnose(replace(FACTS, streams=0)) if f.subject in {"IPv4", "upload", "clock"}} == {
        Verdict.UNKNOWN
    }


def test_when_nobody_answers_it_does_not_pretend_to_know_why() -> None:
    finding = said(FACTS, "peers")
    assert finding.verdict is Verdict.BAD
    assert "None of 2 addresses answered" in finding.text
    assert "another network" in finding.advice


@pytest.mark.parametrize(
    ("access", "verdict", "words"),
    [
        (Access.OPEN, Verdict.GOOD, "Everybody can reach"),
        (Access.CONE, Verdict.NOTE, "common kind"),
        (Access.HARD, Verdict.BAD, "symmetric NAT"),
        (Access.UNKNOWN, Verdict.UNKNOWN, "Too few peers"),
    ],
)
def test_each_kind_of_nat_has_its_words(access: Access, verdict: Verdict, words: str) -> None:
    facts = met(access)
    assert said(facts, "peers").text == "UDP works: 3 peers answered."
    finding = said(facts, "IPv4")
    assert finding.verdict is verdict
    assert words in finding.text
    assert str(OUTSIDE) in finding.text
    assert bool(finding.advice) is (access is Access.HARD)


def test_a_port_in_the_router_makes_a_symmetric_nat_good() -> None:
    facts = replace(met(Access.HARD), forwarded=(OUTSIDE,), port=Port.OPEN)
    assert said(facts, "IPv4").verdict is Verdict.GOOD
    assert str(OUTSIDE) in said(facts, "router").text


def test_a_router_that_opens_nothing_gets_advice_that_can_be_followed() -> None:
    assert "seedcast[upnp]" not in said(FACTS, "router").advice
    assert "seedcast[upnp]" in said(replace(FACTS, upnp_installed=False), "router").advice
    assert not said(replace(FACTS, port=Port.UNASKED), "router").advice


def test_a_carriers_nat_is_told_by_either_sign() -> None:
    for facts in (replace(FACTS, port=Port.SECOND_NAT), replace(FACTS, own=(Address("100.64.0.9", 4000),))):
        assert "second NAT" in said(facts, "router").text
        assert "public IPv4 address" in said(facts, "router").advice


def test_ipv6_is_judged_by_what_it_did() -> None:
    assert said(FACTS, "IPv6").verdict is Verdict.NOTE
    assert said(replace(FACTS, own=(V6, HOME)), "IPv6").verdict is Verdict.UNKNOWN
    assert said(met(Access.CONE, v6=True, seen=V6), "IPv6").verdict is Verdict.GOOD
    assert said(met(Access.OPEN, v6=True, seen=V6), "IPv6").verdict is Verdict.GOOD
    assert said(replace(FACTS, own=(V6,)), "IPv4").verdict is Verdict.NOTE


def test_the_upload_is_what_the_books_know() -> None:
    assert said(replace(FACTS, uplink=replace(LINE, proven=False)), "upload").verdict is Verdict.UNKNOWN
    assert "5.0 Mbit/s" in said(replace(FACTS, uplink=LINE), "upload").text
    assert said(replace(FACTS, uplink=replace(LINE, line_bps=5e5)), "upload").verdict is Verdict.NOTE
    assert "budget" in said(replace(FACTS, uplink=replace(LINE, paused=True)), "upload").text


@pytest.mark.parametrize(
    ("error_s", "verdict", "words"),
    [(0.4, Verdict.GOOD, "Within 0.4 s"), (90.0, Verdict.BAD, "90 s ahead of"), (-90.0, Verdict.BAD, "90 s behind")],
)
def test_a_clock_that_is_off_is_told_with_the_side(error_s: float, verdict: Verdict, words: str) -> None:
    finding = said(replace(FACTS, network=replace(NETWORK, clock_error_s=error_s, clock_peers=4)), "clock")
    assert finding.verdict is verdict
    assert words in finding.text


def test_whatever_was_found_there_is_one_sentence_for_each_subject() -> None:
    for port, access, links in product(Port, Access, (0, 3)):
        family = FamilyStatus(access=access, seen=OUTSIDE, links=links)
        facts = replace(FACTS, port=port, network=replace(NETWORK, v4=family, v6=family))
        findings = diagnose(facts)
        assert [finding.subject for finding in findings] == ["peers", "IPv4", "IPv6", "router", "upload", "clock"]
        assert all(finding.text.endswith(".") for finding in findings if not finding.text.endswith(str(OUTSIDE) + "."))
        assert all(finding.advice for finding in findings if finding.verdict is Verdict.BAD)
