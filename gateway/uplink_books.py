"""What this machine's line carried and what it has sent this month, in a small file that outlives the process.

All processes of the user write to the same file, each its own share; a file that is lost or damaged costs nothing
but the memory.
"""

import json
import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

logger = logging.getLogger(__name__)

FILE_NAME = "uplink.json"
LINE_LEAST_BPS = 64_000.0
LINE_MOST_BPS = 1e11
SENT_MOST_BYTES = 1 << 60
FILE_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """``line_bps`` is what the line carried the last time, 0 when unknown; ``month`` as ``2025-11``, in bytes sent."""

    month: str = ""
    sent_bytes: int = 0
    line_bps: float = 0.0

    def plus(self, sent_bytes: int, *, month: str, line_bps: float) -> "Books":
        """With more sent in a month, which may be a new one, and what is now known of the line (0: nothing new)."""
        before = self.sent_bytes if month == self.month else 0
        return Books(month=month, sent_bytes=before + sent_bytes, line_bps=line_bps or self.line_bps)


def read_books(folder: Path) -> Books:
    """What stands in the file; what makes no sense in it is left out."""
    try:
        with (folder / FILE_NAME).open(encoding="utf-8") as file:
            values = json.loads(file.read(FILE_MOST_BYTES))
    except (OSError, ValueError):
        return Books()
    if not isinstance(values, dict):
        return Books()
    books, month, sent, line = Books(), values.get("month"), values.get("sent_bytes"), values.get("line_bps")
    if isinstance(month, str) and type(sent) is int and len(month) == len("2025-11") and 0 <= sent < SENT_MOST_BYTES:
        books = replace(books, month=month, sent_bytes=sent)
    if isinstance(line, float | int) and LINE_LEAST_BPS <= line <= LINE_MOST_BPS:
        books = replace(books, line_bps=float(line))
    return books


def write_books(folder: Path, books: Books) -> None:
    """Replace the file, whole or not at all; a disk that does not let us is logged."""
    path = folder / FILE_NAME
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_text(json.dumps(asdict(books)) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        logger.warning("What was sent this month cannot be kept in %s: %s", path, error.strerror)
        with suppress(OSError):
            draft.unlink(missing_ok=True)
