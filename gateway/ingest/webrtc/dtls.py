"""DTLS-SRTP (RFC 5764) without sockets: datagrams in, datagrams out. OpenSSL does the handshake, libsrtp the packets.

Neither is installed with the gateway itself: they belong to the extra ``whip``, and without them this module says so.
"""

import binascii
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

try:
    import pylibsrtp
    from OpenSSL import SSL

    INSTALLED = True
except ImportError:
    INSTALLED = False

DTLS_1_2 = 0xFEFD
DATAGRAM_BYTES = 1200
RECORD_HEADER_BYTES = 13
EXPORTER = b"EXTRACTOR-dtls_srtp"
READ_BYTES = 1 << 16
CERTIFICATE_DAYS = 365
REPLAY_WINDOW = 1024


class Profile(NamedTuple):
    """A protection profile: OpenSSL's name, and the lengths of its key and salt."""

    name: bytes
    key_bytes: int
    salt_bytes: int


# In the order in which they are preferred (RFC 7714, RFC 5764).
PROFILES = (Profile(b"SRTP_AEAD_AES_128_GCM", 16, 12), Profile(b"SRTP_AES128_CM_SHA1_80", 16, 14))


class Certificate:
    """Ours: made anew with each start, known to the other side by its fingerprint alone."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
            .sign(self.key, hashes.SHA256())
        )
        self.fingerprint = fingerprint_of(self.certificate)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 as session descriptions write it (RFC 8122 section 5)."""
    return binascii.hexlify(certificate.fingerprint(hashes.SHA256()), ":").decode().upper()


class SecureLine:
    """One DTLS connection and the keys that come of it. After each call, `outgoing` has what is to be sent."""

    def __init__(self, certificate: Certificate, *, fingerprint: str, client: bool) -> None:
        """``fingerprint``: the other side's, from its offer."""
        self._fingerprint = fingerprint
        self._client = client
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_max_proto_version(DTLS_1_2)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        context.set_tlsext_use_srtp(b":".join(profile.name for profile in PROFILES))
        context.use_certificate(certificate.certificate)
        context.use_privatekey(certificate.key)
        # Certificates are signed by nobody; who it is shows the fingerprint.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self._connection = SSL.Connection(context)
        self._connection.set_ciphertext_mtu(DATAGRAM_BYTES)
        if client:
            self._connection.set_connect_state()
        else:
            self._connection.set_accept_state()
        self._incoming: pylibsrtp.Session | None = None
        self._outgoing: pylibsrtp.Session | None = None
        self._hello: list[bytes] = []
        self._heard = False
        self._again = False
        self.closed = False

    @property
    def is_open(self) -> bool:
        return self._incoming is not None and not self.closed

    def start(self) -> None:
        """Begin, when it is ours to begin."""
        if self._client:
            self._shake_hands()

    def say_again(self) -> None:
        """Repeat the first word if it is unanswered: OpenSSL itself waits for a second."""
        self._again = self._client and not self._heard

    def receive(self, datagram: bytes) -> None:
        """Take a datagram of DTLS."""
        if self.closed:
            return
        self._heard = True
        self._connection.bio_write(datagram)
        if self._incoming is None:
            self._shake_hands()
            return
        try:
            self._connection.recv(READ_BYTES)
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.closed = True

    def handle_timer(self) -> None:
        """Repeat what has not been answered; to be called now and then until it is open."""
        if self.closed or self._incoming is not None:
            return
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self.closed = True

    def close(self) -> None:
        """Tell the other side."""
        if not self.closed and self._incoming is not None:
            with suppress(SSL.Error):
                self._connection.shutdown()
        self.closed = True

    def outgoing(self) -> Iterator[bytes]:
        """Datagrams to be sent: a record each, as OpenSSL gives them out in a row."""
        if self._again:
            self._again = False
            yield from self._hello
        try:
            data = self._connection.bio_read(READ_BYTES)
        except SSL.Error:
            return
        while len(data) >= RECORD_HEADER_BYTES:
            end = RECORD_HEADER_BYTES + int.from_bytes(data[11:13], "big")
            if not self._heard:
                self._hello = [data[:end]]
            yield data[:end]
            data = data[end:]

    def unprotect(self, packet: bytes) -> bytes | None:
        """RTP out of SRTP; None when it is not authentic, or comes again."""
        return self._open(packet, control=False)

    def unprotect_control(self, packet: bytes) -> bytes | None:
        """RTCP out of SRTCP."""
        return self._open(packet, control=True)

    def protect_control(self, packet: bytes) -> bytes:
        """SRTCP out of RTCP; only once it `is_open`."""
        assert self._outgoing is not None
        protected: bytes = self._outgoing.protect_rtcp(packet)
        return protected

    def _open(self, packet: bytes, *, control: bool) -> bytes | None:
        if self._incoming is None:
            return None
        try:
            opened: bytes = self._incoming.unprotect_rtcp(packet) if control else self._incoming.unprotect(packet)
        except pylibsrtp.Error:
            return None
        return opened

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error:
            self.closed = True
            return
        other = self._connection.get_peer_certificate(as_cryptography=True)
        profile = next((p for p in PROFILES if p.name == self._connection.get_selected_srtp_profile()), None)
        if other is None or profile is None or fingerprint_of(other) != self._fingerprint:
            self.closed = True
            return
        self._make_keys(profile)

    def _make_keys(self, profile: Profile) -> None:
        """RFC 5764 section 4.2: the client's key, the server's key, the client's salt, the server's salt."""
        size, salt = profile.key_bytes, profile.salt_bytes
        material = self._connection.export_keying_material(EXPORTER, 2 * (size + salt))
        keys = [material[n * size : (n + 1) * size] for n in (0, 1)]
        salts = [material[2 * size + n * salt : 2 * size + (n + 1) * salt] for n in (0, 1)]
        client, server = (key + salt for key, salt in zip(keys, salts, strict=True))
        ours, theirs = (client, server) if self._client else (server, client)
        self._incoming = _session(profile, theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._outgoing = _session(profile, ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)


def _session(profile: Profile, key: bytes, direction: int) -> "pylibsrtp.Session":
    kinds = {
        b"SRTP_AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        b"SRTP_AES128_CM_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    }
    policy = pylibsrtp.Policy(key=key, ssrc_type=direction, srtp_profile=kinds[profile.name])
    policy.window_size = REPLAY_WINDOW
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy)
