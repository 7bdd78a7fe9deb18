"""The real OBS Studio into a real gateway, by each way that it knows: does it go on air, how soon, and as what?

``python -m tests.bench.obs [NAME ...]``, by hand and not in CI: it needs OBS and Xvfb (Debian: obs-studio, xvfb) and
renders in software. OBS asks its makers for news when it starts; to keep it on this machine, run it without a net:

    unshare --map-root-user --net sh -c 'ip link set lo up && exec python -m tests.bench.obs'

The last line is one JSON object.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.ingest.ffmpeg import find_ffmpeg
from tests.bench.ingest_site import Site, open_site

PIECES = 50
WAIT_S = 40.0
RESTARTS = 1
WIDTH, HEIGHT, FPS = 640, 360, 30
WEBRTC_PLUGIN = "obs-webrtc.so"
PLUGIN_FOLDERS = ("/usr/lib", "/usr/local/lib")

GLOBAL = """[General]
FirstRun=true
LastVersion=4294967295
EnableAutoUpdates=false
[Basic]
Profile=Trial
ProfileDir=Trial
SceneCollection=Trial
SceneCollectionFile=Trial
[BasicWindow]
SysTrayEnabled=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=false
"""
PROFILE = f"""[General]
Name=Trial
[Output]
Mode=Simple
Reconnect=false
[SimpleOutput]
VBitrate=1500
ABitrate=128
StreamEncoder=x264
[Video]
BaseCX={WIDTH}
BaseCY={HEIGHT}
OutputCX={WIDTH}
OutputCY={HEIGHT}
FPSCommon={FPS}
[Audio]
SampleRate=48000
ChannelSetup=Stereo
"""
SCENE = {
    "name": "Trial",
    "current_scene": "Scene",
    "current_program_scene": "Scene",
    "scene_order": [{"name": "Scene"}],
    "transitions": [],
    "sources": [
        {
            "id": "scene",
            "versioned_id": "scene",
            "name": "Scene",
            "settings": {"id_counter": 1, "items": [{"id": 1, "name": "Colour", "visible": True}]},
        },
        {
            "id": "color_source",
            "versioned_id": "color_source_v3",
            "name": "Colour",
            "settings": {"color": 0xFF20A060, "width": WIDTH, "height": HEIGHT},
        },
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way. Seconds; ``segment_s`` is the distance of key frames that OBS chose."""

    push: str
    started: bool
    first_s: float | None = None
    codecs: str = ""
    segment_s: float | None = None
    restarts: int = 0


def services(site: Site) -> dict[str, dict[str, object]]:
    """What OBS's settings say under "Stream", by our names."""
    server, _, key = site.addresses["rtmp"].rpartition("/")
    endpoint, _, _ = site.addresses["whip"].rpartition("/")
    found: dict[str, dict[str, object]] = {
        "RTMP": {"type": "rtmp_custom", "settings": {"server": server, "key": key}},
        "SRT": {"type": "rtmp_custom", "settings": {"server": site.addresses["srt"], "key": ""}},
    }
    if any(next(Path(folder).rglob(WEBRTC_PLUGIN), None) for folder in PLUGIN_FOLDERS):
        found["WHIP"] = {"type": "whip_custom", "settings": {"server": endpoint, "bearer_token": key}}
    return found


def furnish(home: Path, service: dict[str, object]) -> None:
    """A folder of settings in which OBS finds all that it would ask for."""
    settings = home / ".config" / "obs-studio"
    profile, scenes = settings / "basic" / "profiles" / "Trial", settings / "basic" / "scenes"
    for folder in (profile, scenes):
        folder.mkdir(parents=True)
    for name in ("global.ini", "user.ini"):
        (settings / name).write_text(GLOBAL)
    (profile / "basic.ini").write_text(PROFILE)
    (profile / "service.json").write_text(json.dumps(service))
    (scenes / "Trial.json").write_text(json.dumps(SCENE))
    (home / "run").mkdir(mode=0o700)


@asynccontextmanager
async def running_obs(service: dict[str, object]) -> AsyncIterator[None]:
    """OBS on a screen of its own, streaming; killed at the end of the block, which is how OBS ends at its worst."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        furnish(Path(folder), service)
        environment = os.environ | {
            "HOME": folder,
            "XDG_CONFIG_HOME": f"{folder}/.config",
            "XDG_RUNTIME_DIR": f"{folder}/run",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_QPA_PLATFORM": "xcb",
        }
        obs = ["obs", "--startstreaming", "--multi", "--profile", "Trial", "--collection", "Trial", "--scene", "Scene"]
        process = await asyncio.create_subprocess_exec(
            *("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1280x720x24", *obs),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, 9)
            await process.wait()


async def run_once(site: Site, service: dict[str, object]) -> float | None:
    """Seconds to the first piece; None when not enough of them came."""
    before = len(site.listener.pieces)
    began_s = time.monotonic()
    async with running_obs(service):
        try:
            async with asyncio.timeout(WAIT_S):
                await site.listener.until_pieces(before + 1)
                first_s = time.monotonic() - began_s
                await site.listener.until_pieces(before + PIECES)
        except TimeoutError:
            return None
    return first_s


async def measure(name: str) -> Row | None:
    """None when this OBS does not know the way."""
    async with open_site(find_ffmpeg()) as site:
        service = services(site).get(name)
        if service is None:
            return None
        first_s = await run_once(site, service)
        if first_s is None:
            return Row(push=name, started=False)
        listener = site.listener
        keys = [piece.capture_us for piece in listener.pieces if piece.key]
        restarts = 0
        for _ in range(RESTARTS):
            restarts += await run_once(site, service) is not None
        return Row(
            push=name,
            started=True,
            first_s=round(first_s, 1),
            codecs=" ".join(track.codec for track in listener.init.tracks),
            segment_s=round((keys[1] - keys[0]) / 1e6, 2) if len(keys) > 1 else None,
            restarts=restarts,
        )


def obs_version() -> str:
    if not (shutil.which("obs") and shutil.which("xvfb-run")):
        sys.exit("OBS or Xvfb is missing: apt install obs-studio xvfb")
    return subprocess.run(["obs", "--version"], capture_output=True, text=True, check=False).stdout.strip()


async def main(version: str, names: list[str]) -> None:
    print(version)
    rows = []
    for name in ("RTMP", "SRT", "WHIP"):
        if names and name.lower() not in {other.lower() for other in names}:
            continue
        row = await measure(name)
        print(f"{name:6} {row or 'not known to this OBS'}", flush=True)
        rows += [row] if row is not None else []
    print(json.dumps({"obs": version, "restarts_tried": RESTARTS, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    asyncio.run(main(obs_version(), sys.argv[1:]))
