"""An ffmpeg that seems to have an encoder in hardware: a script that takes x264 for it, and may fail as drivers do."""

import sys
from dataclasses import replace
from pathlib import Path

from gateway.ingest.ffmpeg import Ffmpeg

BROKEN = "runs.txt.broken"
"""A file beside the stand-in: while it is there, its encoder does nothing."""
STAND_IN = """#!{python}
import os, signal, subprocess, sys
words, name, reorders, counted, fails = sys.argv[1:], {name!r}, {reorders!r}, {counted!r}, {fails!r}
on_air = name in words and "lavfi" not in words
if name in words and os.path.exists(counted + ".broken"):
    sys.exit(1)
with open(counted, "a") as file:
    file.write(" ".join(words) + "\\n")
if name in words:
    words[words.index(name)] = "libx264"
    for option in ("preset", "tune", "rc", "zerolatency", "delay", "bf", "no-scenecut", "forced-idr", "strict_gop"):
        while "-" + option in words:
            at = words.index("-" + option)
            del words[at : at + 2]
    end = words.index("pipe:1")
    words[end:end] = ["-preset", "ultrafast", "-sc_threshold", "0", "-bf", "3" if reorders else "0"]
if not fails or not on_air:
    os.execv({path!r}, ["ffmpeg", *words])
end = words.index("pipe:1")
words[end:end] = ["-t", fails]
ffmpeg = subprocess.Popen([{path!r}, *words], close_fds=False)
signal.signal(signal.SIGTERM, lambda *_: ffmpeg.terminate())
ffmpeg.wait()
print("[" + name + " @ 0x5581] EncodePicture failed!: out of memory (10)", file=sys.stderr)
print("Video encoding failed", "Conversion failed!", sep="\\n", file=sys.stderr)
sys.exit(1)
"""


def with_hardware(
    tool: Ffmpeg, folder: Path, name: str, *, reorders: bool = False, fails: str = ""
) -> tuple[Ffmpeg, Path]:
    """An ffmpeg that seems to have this encoder, and where its command lines are kept.

    ``fails``: for how many seconds of film the encoder works on air; its trials go well until there is ``BROKEN``.
    """
    script, counted = folder / "ffmpeg", folder / "runs.txt"
    known = {"python": sys.executable, "name": name, "reorders": reorders, "counted": str(counted), "fails": fails}
    script.write_text(STAND_IN.format(**known, path=tool.path))
    script.chmod(0o755)
    return replace(tool, path=str(script)), counted


def encoders_on_air(runs: Path) -> list[str]:
    """What encoded the picture in each run that was no trial."""
    words = [line.split() for line in runs.read_text().splitlines() if "lavfi" not in line and "-c:v" in line]
    return [line[line.index("-c:v") + 1] for line in words]


def trials(runs: Path) -> int:
    return sum("lavfi" in line for line in runs.read_text().splitlines())
