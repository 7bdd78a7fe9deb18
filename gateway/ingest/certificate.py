"""The certificate of a port that speaks TLS, read so that a mistake in its files is told before anyone connects."""

import ssl
from pathlib import Path

from gateway.errors import CannotStart


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this PEM chain and its PEM key, which has no passphrase. Raises CannotStart."""
    for path, setting in ((certificate, "rtmps_cert"), (key, "rtmps_key")):
        try:
            path.read_bytes()
        except OSError as error:
            raise CannotStart(f"{setting}: {path} cannot be read ({error.strerror}). Check the path.") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a passphrase given here OpenSSL would ask the terminal for one, and a service would hang.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise CannotStart(f"The key {key} does not belong to the certificate {certificate}.") from error
        raise CannotStart(
            f"{certificate} and {key} are no PEM certificate and PEM key without a passphrase. "
            "Look at rtmps_cert and rtmps_key."
        ) from error
    return context
