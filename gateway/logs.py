"""How the gateway logs: one handler on stderr, one line format, no secrets.

An ingest key stands in a path (``/ingest/<key>``, ``/whip/<key>``, ``rtmp://host/live/<key>``), where an access log or
a traceback would show it, and what opens a sealed stream stands in its link behind the ``#``; the formatter strikes
both out wherever they turn up, so that no logger has to be trusted with them.
"""

import logging
import re

from gateway.settings import LogLevel

LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
SECRET = re.compile(
    r"(/ingest/|/whip/(?:sessions/)?|[Aa]uthorization: (?:Basic|Bearer) |rtmps?://[^\s/]+/[^\s/]+/|passphrase=|streamid="
    r"|seedcast:[^\s#]*#)[^\s/?#&\"']+"
)
STRUCK_OUT = r"\1***"

# What these say below the level is of use only to those who work on Seedcast. The QUIC library warns of every link
# that its other end has closed.
QUIET = {"httpx": "WARNING", "httpcore": "WARNING", "asyncio": "WARNING", "uvicorn": "WARNING", "quic": "ERROR"}


class DiscreetFormatter(logging.Formatter):
    """Formats a record, its traceback included, and strikes out the secrets in it."""

    def format(self, record: logging.LogRecord) -> str:
        return SECRET.sub(STRUCK_OUT, super().format(record))


def set_up_logging(level: LogLevel) -> None:
    """Send all logging to stderr in one form; called once a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter(LINE))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, quiet_level in QUIET.items():
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else quiet_level)
