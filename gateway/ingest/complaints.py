"""What ffmpeg says on standard error, in plain words."""

import re
from collections.abc import Iterable

# What ffmpeg says, and what that means to somebody who does not know ffmpeg.
PLAIN_WORDS = (
    (r"No such file or directory", "there is no such file"),
    (r"Is a directory", "it is a directory, not a video"),
    (r"Permission denied", "it may not be read (permission denied)"),
    (r"Device or resource busy", "another program is using the device"),
    (r"No such device|Inappropriate ioctl", "it is no camera, or it is not plugged in"),
    (r"moov atom not found", "the MP4 file is incomplete"),
    (r"Connection refused", "nobody answers at this address (connection refused)"),
    (r"Failed to resolve hostname|Name or service not known", "its host name cannot be found"),
    (r"Network is unreachable|No route to host", "its network cannot be reached"),
    (r"(?:timed out|Operation timed out|Connection timed out)", "its server does not answer in time"),
    (r"Server returned (4\d\d|5\d\d|5XX|4XX)[^,]*", "its server refuses it: {0}"),
    (r"Protocol not found|protocol.*not on whitelist", "this kind of address is not supported"),
    (r"No space left on device", "the disk is full"),
    (r"Could not find codec parameters|unknown codec|Decoder .* not found", "its codec is not known to ffmpeg"),
    (r"Invalid data found when processing input", "it is no video, or it is damaged"),
    (r"End of file", "it ends before there is any video"),
    (r"Immediate exit requested|received signal", "it was stopped"),
)

_ORIGIN = re.compile(r"^(?:\[[^\]]*\]\s*)+")


def plain_reason(lines: Iterable[str]) -> str:
    """One clause that says why ffmpeg failed, without a full stop."""
    said = [text for line in lines if (text := _ORIGIN.sub("", line).strip())]
    for pattern, words in PLAIN_WORDS:
        for line in reversed(said):
            if match := re.search(pattern, line):
                return words.format(match[0])
    return said[-1].rstrip(".") if said else "ffmpeg ended without saying why"
