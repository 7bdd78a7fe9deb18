"""What ffmpeg says on standard error, in plain words."""

import re
import signal
from collections.abc import Iterable

from gateway.ingest.credentials import masked

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

# What it says while it works on, where that matters to whoever sends.
PLAIN_TROUBLES = (
    (r"[Nn]on-?monoton\w+ DTS|out of order|timestamp discontinuity", "its timestamps leap or go back"),
    (r"[Pp]acket corrupt|corrupt (?:input|decoded)|concealing|error while decoding|slice_header", "parts are damaged"),
    (r"buffer overrun", "it comes faster than it can be taken"),
    (r"Too many packets buffered", "picture and sound are too far apart"),
    (r"[Tt]imestamps are unset", "it has no timestamps"),
    (r"non-existing (?:PPS|SPS)|no frame!", "it did not begin at a key frame"),
)  # fmt: skip
UNIMPORTANT = re.compile(
    r"deprecated pixel format|[Gg]uessed [Cc]hannel [Ll]ayout|Estimating duration|-bsf|Last message repeated|"
    r"Thread message queue blocking|VBV|Queue input is backward|does not contain any stream|muxdelay|Stream #|"
    r"not specified as input"
)
# What it says when an encoder fails, whichever it is, and of the hardware that it drives.
ENCODER_FAILURES = (
    r"Video encoding failed|[Ee]rror (?:encoding a frame|submitting (?:a |the )?(?:video )?frame)|"
    r"Error while opening encoder|Device creation failed|Failed to set value '[^']*' for option '\w+_device'"
)
FAILS = r"[Ff]ail|[Ee]rror|[Ii]nvalid|[Uu]nable|[Cc]annot|[Cc]ould not|[Ll]ost|[Tt]imed? ?out"
"""What a driver does not support is no failure: it is said at the start, and where nothing goes without it ffmpeg adds
that it could not open the encoder."""
CRASHES = ("SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE", "SIGBUS")
"""What a program does to itself; the others come from outside."""

_ORIGIN = re.compile(r"^(?:\[[^\]]*\]\s*)+")


def plain_reason(lines: Iterable[str]) -> str:
    """One clause that says why ffmpeg failed, without a full stop and without passwords."""
    said = [text for line in lines if (text := _ORIGIN.sub("", line).strip())]
    for pattern, words in PLAIN_WORDS:
        for line in reversed(said):
            if match := re.search(pattern, line):
                return words.format(match[0])
    return masked(said[-1]).rstrip(".") if said else "ffmpeg ended without saying why"


def encoder_reason(encoder: str, lines: Iterable[str]) -> str:
    """One clause that says how this encoder in hardware failed; empty when nothing says that it did."""
    own = re.compile(rf"\[(?:[^\]]*\b{re.escape(encoder)}|AVHW\w+|AMF) @[^\]]*\].*(?:{FAILS})")
    found = [line for line in lines if own.search(line)] or [
        line for line in lines if re.search(ENCODER_FAILURES, line)
    ]
    return masked(_ORIGIN.sub("", found[0]).strip()).rstrip(".!") if found else ""


def plain_complaint(lines: Iterable[str]) -> str:
    """One clause with what ffmpeg complained of last while it works on; empty when it is content."""
    said = [text for line in lines if (text := _ORIGIN.sub("", line).strip()) and not UNIMPORTANT.search(text)]
    if not said:
        return ""
    for pattern, words in PLAIN_TROUBLES:
        if re.search(pattern, said[-1]):
            return words
    return plain_reason(said[-1:])


def signal_reason(number: int) -> str:
    """One clause that says which signal ended ffmpeg, without a full stop."""
    name = _signal_name(number)
    return f"ffmpeg crashed ({name})" if name in CRASHES else f"ffmpeg was killed ({name})"


def is_crash(number: int) -> bool:
    """Whether this signal is a program's own fault."""
    return _signal_name(number) in CRASHES


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
