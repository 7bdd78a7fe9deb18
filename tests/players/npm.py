"""The players for pages, by package name from npm, in a cache outside of the repository.

The versions are fixed: a table can be compared with the last one only when the players are the same.
"""

import shutil
import subprocess
from pathlib import Path

from platformdirs import user_cache_path

PACKAGES = {"hls.js": "1.7.4", "shaka-player": "5.2.12", "dashjs": "5.2.1", "video.js": "8.24.1"}
INSTALL_WITHIN_S = 300


def install_players() -> Path | None:
    """The folder that holds the packages, installed when they are not there yet; None without npm."""
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    folder = user_cache_path("seedcast-players") / "-".join(PACKAGES.values())
    modules = folder / "node_modules"
    if all((modules / name / "package.json").exists() for name in PACKAGES):
        return modules
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", *wanted]
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_WITHIN_S)
    return modules
