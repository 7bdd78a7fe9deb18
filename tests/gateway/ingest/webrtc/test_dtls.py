"""Two ends of DTLS-SRTP joined by hand, in both roles; a certificate that was not announced gets no keys."""

import importlib.util
import sys

import pytest

from gateway.ingest.webrtc import dtls
from gateway.ingest.webrtc.dtls import DATAGRAM_BYTES, Certificate, SecureLine


def join(one: SecureLine, other: SecureLine, *, drop_first: bool = False) -> None:
    """Carry datagrams until nobody has anything to say."""
    one.start()
    other.start()
    talking, dropped = True, not drop_first
    while talking:
        talking = False
        for here, there in ((one, other), (other, one)):
            for datagram in here.outgoing():
                assert len(datagram) <= DATAGRAM_BYTES
                talking = True
                if dropped:
                    there.receive(datagram)
                else:
                    dropped = True
                    here.say_again()


def lines(*, lie: bool = False) -> tuple[SecureLine, SecureLine]:
    ours, theirs = Certificate(), Certificate()
    known = Certificate().fingerprint if lie else theirs.fingerprint
    server = SecureLine(ours, fingerprint=known, client=False)
    return server, SecureLine(theirs, fingerprint=ours.fingerprint, client=True)


@pytest.mark.parametrize("drop_first", [False, True])
def test_keys_are_agreed_on(drop_first: bool) -> None:
    server, client = lines()
    join(client, server, drop_first=drop_first)
    assert server.is_open
    assert client.is_open
    report = bytes([0x80, 201, 0, 1, 0, 0, 0, 1])
    for sender, receiver in ((server, client), (client, server)):
        protected = sender.protect_control(report)
        assert protected != report
        assert receiver.unprotect_control(protected) == report
        assert receiver.unprotect_control(protected) is None
        assert receiver.unprotect_control(protected[:-1] + b"?") is None
        assert receiver.unprotect(b"\x80") is None


def test_another_certificate_is_not_taken() -> None:
    server, client = lines(lie=True)
    join(client, server)
    assert server.closed
    assert not server.is_open


def test_a_good_bye_is_heard() -> None:
    server, client = lines()
    join(client, server)
    client.close()
    for datagram in client.outgoing():
        server.receive(datagram)
    assert server.closed


def test_noise_does_no_harm() -> None:
    server, client = lines()
    server.receive(b"\x16\xfe\xfd" + bytes(30))
    server.receive(b"\x16")
    join(client, server)
    assert server.is_open
    server.receive(b"\x17\xfe\xfd" + b"\xff" * 50)
    assert server.is_open


def test_without_the_libraries_the_module_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dtls.INSTALLED
    with monkeypatch.context() as absence:
        absence.setitem(sys.modules, "pylibsrtp", None)
        spec = importlib.util.spec_from_file_location("dtls_without_libraries", dtls.__file__)
        assert spec is not None
        assert spec.loader is not None
        bare = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bare)
    assert not bare.INSTALLED
    assert bare.Certificate().fingerprint.count(":") == 31
