"""The start page, the page for broadcasters and their files: static, from inside the package.

Their headers keep everything foreign out.

The files are read once, when the router is made: what is served is what was installed, and no request touches the disk.
"""

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

# `blob:` is how hls.js hands the stream to <video>; nothing else than this gateway's own files may load or run.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "media-src 'self' blob: data:",
        "object-src 'none'",
        "worker-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
# The page changes with the gateway, the vendored player only with a new release.
CACHE_PAGE = "no-cache"
CACHE_VENDOR = "public, max-age=86400"

PAGES = {"index.html": "/", "broadcast.html": "/broadcast"}

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def web_router() -> APIRouter:
    """Routes for `/`, `/broadcast` and for every file that the pages consist of."""
    router = APIRouter(include_in_schema=False)
    for path, body in _assets(resources.files("gateway") / "web", ""):
        _serve(router, PAGES.get(path, f"/{path}"), path, body)
    return router


def _assets(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _assets(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in MEDIA_TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _serve(router: APIRouter, route: str, path: str, body: bytes) -> None:
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {
        "cache-control": CACHE_VENDOR if path.startswith("vendor/") else CACHE_PAGE,
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "etag": etag,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    media_type = MEDIA_TYPES[_suffix(path)]

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)

    router.add_api_route(route, serve, methods=["GET", "HEAD"])
