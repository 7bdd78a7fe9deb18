"""Programs that read a stream without showing it: ffprobe, ffmpeg, and the m3u8 library."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from urllib.parse import urljoin

import httpx
import m3u8

READ_WITHIN_S = 30
DECODED_S = 5

READ_ERRORS = (subprocess.SubprocessError, httpx.HTTPError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one program took one URL: what it found there, or why it did not."""

    reader: str
    version: str
    view: str
    is_well: bool
    found: str

    def as_object(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def read_with_ffprobe(url: str, view: str) -> Reading:
    """The codecs, as ffprobe finds them."""
    return _read(
        "ffprobe", _program_version("ffprobe"), view, lambda: ", ".join(sorted(probe("ffprobe", url).values()))
    )


def read_with_ffmpeg(url: str, view: str) -> Reading:
    """A few seconds decoded: any complaint is a failure."""

    def read() -> str:
        complaints = decode("ffmpeg", url, DECODED_S)
        if complaints:
            raise ValueError(f"{len(complaints)} complaints, such as: {complaints[0]}")
        return f"{DECODED_S} s decoded"

    return _read("ffmpeg", _program_version("ffmpeg"), view, read)


def read_with_m3u8(url: str, view: str) -> Reading:
    """The playlist and those that it names, and what they name."""

    def read() -> str:
        playlists = fetch_playlists(url)
        segments = sum(len(playlist.segments) for playlist in playlists)
        return f"{len(playlists)} playlists, {segments} segments"

    return _read("m3u8", version("m3u8"), view, read)


def probe(ffprobe: str, url: str) -> dict[str, str]:
    """Kind of stream -> codec, as ffprobe finds them. Raises CalledProcessError when it cannot read the URL."""
    command = [ffprobe, "-v", "error", "-show_entries", "stream=codec_type,codec_name", "-of", "json", url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=READ_WITHIN_S)
    return {stream["codec_type"]: stream["codec_name"] for stream in json.loads(done.stdout)["streams"]}


def decode(ffmpeg: str, url: str, seconds: float) -> list[str]:
    """Decode so many seconds of picture and sound; what ffmpeg complains about. Raises CalledProcessError."""
    command = [ffmpeg, "-nostdin", "-v", "error", "-i", url, "-t", str(seconds), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=READ_WITHIN_S + seconds, text=True)
    return done.stderr.splitlines()


def fetch_playlists(url: str) -> list[m3u8.M3U8]:
    """A playlist and those that it names, as the m3u8 library reads them; each one's newest segment is fetched.

    Raises httpx.HTTPError when something that is named is not there.
    """
    found = []
    with httpx.Client(timeout=READ_WITHIN_S, trust_env=False) as client:
        waiting = [url]
        while waiting:
            where = waiting.pop()
            playlist = m3u8.loads(client.get(where).raise_for_status().text, uri=where)
            found.append(playlist)
            named = [variant.uri for variant in playlist.playlists] + [media.uri for media in playlist.media]
            waiting += [urljoin(where, name) for name in named if name]
            if playlist.segments:
                client.get(urljoin(where, playlist.segments[-1].uri)).raise_for_status()
    return found


def _read(reader: str, number: str, view: str, read: Callable[[], str]) -> Reading:
    try:
        if not number:
            raise ValueError(f"{reader} is not installed")
        found, is_well = read(), True
    except READ_ERRORS as error:
        found, is_well = str(error), False
    return Reading(reader=reader, version=number, view=view, is_well=is_well, found=found)


def _program_version(program: str) -> str:
    """What stands behind "version" in the first line; empty when there is no such program."""
    if shutil.which(program) is None:
        return ""
    text = subprocess.run([program, "-version"], capture_output=True, check=True, text=True).stdout
    return text.split()[2].partition("-")[0]
