"""Serves the page that the players for browsers play in: an origin of its own, as a foreign web page would be."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
FOLDERS = {"page": Path(__file__).parent / "page", "gateway": ROOT / "gateway/web"}
VENDORED = {"hls.js/dist/hls.min.js": ROOT / "gateway/web/vendor/hls.min.js"}


class _Files(SimpleHTTPRequestHandler):
    """``/<name of a folder>/<path in it>``."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, folders: Mapping[str, Path], **named: object) -> None:
        self._folders = folders
        super().__init__(*arguments, **named)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        name, _, rest = urlsplit(path).path.lstrip("/").partition("/")
        folder = self._folders.get(name)
        if folder is None or ".." in rest.split("/"):
            return "/nowhere"
        file = folder / rest
        if name == "npm" and not file.exists() and rest in VENDORED:
            file = VENDORED[rest]
        return str(file)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_pages(packages: Path | None) -> Iterator[str]:
    """The page's base URL. Without ``packages`` from npm there is the gateway's own hls.js still."""
    folders = {**FOLDERS, "npm": packages or Path("/nowhere")}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, folders=folders))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
