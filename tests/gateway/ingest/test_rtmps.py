"""RTMP under TLS: the real ffmpeg pushes, and certificates that cannot be used are told of."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.commands.ingest_ports import certificate
from gateway.errors import CannotStart
from gateway.ingest.certificate import server_context
from gateway.ingest.desk import IngestDesk
from gateway.ingest.ffmpeg import Ffmpeg
from gateway.ingest.keys import IngestKeys
from gateway.ingest.rtmp import RtmpPort
from gateway.serving import listen
from gateway.settings import load_settings
from tests.gateway.ingest.streams import Listener
from tests.gateway.ingest.test_rtmp import push


def certify(folder: Path, name: str, passphrase: bytes = b"") -> tuple[Path, Path]:
    """A certificate that it signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    signed = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(signed.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
    return paths


@pytest.mark.e2e
@pytest.mark.alongside
def test_a_film_goes_on_air_under_tls_and_plain_rtmp_is_refused(tool: Ffmpeg, films: Path, tmp_path: Path) -> None:
    async def run() -> None:
        listener, keys = Listener(), IngestKeys()
        key = keys.add("studio").key
        desk = IngestDesk(keys, lambda _: listener, ffmpeg=tool)
        with closing(desk), closing(listen("127.0.0.1", 0)) as port:
            address = f"127.0.0.1:{port.getsockname()[1]}/live/{key}"
            async with RtmpPort(desk).serving(port, tls=server_context(*certify(tmp_path, "one"))):
                code, _ = await push(tool, films / "film.mp4", f"rtmp://{address}")
                assert (code != 0, listener.pieces) == (True, [])
                assert await push(tool, films / "film.mp4", f"rtmps://{address}") == (0, "")
                await listener.until_pieces(10)

    asyncio.run(run())


def test_a_certificate_that_cannot_be_used_is_told_of(tmp_path: Path) -> None:
    one, two = certify(tmp_path, "one"), certify(tmp_path, "two")
    locked = certify(tmp_path, "locked", b"secret")
    (tmp_path / "text").write_text("no certificate")
    for cert, key, why in (
        (one[0], two[1], "does not belong to"),
        (tmp_path / "none", one[1], "rtmps_cert: .* cannot be read"),
        (one[0], tmp_path / "none", "rtmps_key: .* cannot be read"),
        (tmp_path / "text", one[1], "no PEM certificate"),
        (*locked, "without a passphrase"),
    ):
        with pytest.raises(CannotStart, match=why):
            server_context(cert, key)


def test_half_a_certificate_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="needs both"):
        certificate(load_settings(rtmps_cert=str(tmp_path / "one.pem")))


def test_a_stranger_that_never_begins_tls_is_closed(tool: Ffmpeg, tmp_path: Path) -> None:
    async def run() -> None:
        desk = IngestDesk(IngestKeys(), lambda _: Listener(), ffmpeg=tool)
        with closing(desk), closing(listen("127.0.0.1", 0)) as port:
            tls = server_context(*certify(tmp_path, "one"))
            async with RtmpPort(desk, key_within_s=0.2).serving(port, tls=tls):
                reader, writer = await asyncio.open_connection(*port.getsockname())
                assert await asyncio.wait_for(reader.read(), 20) == b""
                writer.close()

    asyncio.run(run())
