"""The control API's ingest keys: made, changed and taken back. A key itself is shown once, when it is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.ingest.errors import KeyFileBroken
from gateway.ingest.keys import KEYS_MAX, NAME_CHARS_MAX, TITLE_CHARS_MAX, IngestKeys, KeyEntry
from gateway.openapi import CREATED
from gateway.problems import Problem
from gateway.routes.local_only import local_only

DAYS_MAX = 36_500


class NewKey(BaseModel):
    """A key to make."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^/\x00-\x1f]+$")]
    title: Annotated[str, Field(max_length=TITLE_CHARS_MAX, description="What viewers see; else the key's name.")] = ""
    days: Annotated[float | None, Field(gt=0, le=DAYS_MAX, description="How long it is good; null for ever.")] = None
    private: Annotated[bool, Field(description="Sealed: only who has the stream's link can play it.")] = False
    tickets: Annotated[bool, Field(description="Sealed: only who has a ticket can play it.")] = False


class NewTitle(BaseModel):
    """What viewers see from now on; empty for the key's name."""

    title: Annotated[str, Field(max_length=TITLE_CHARS_MAX)]


class KeySummary(BaseModel):
    """A key without its secret."""

    name: str
    title: str
    expires: datetime | None
    private: bool
    tickets: bool


class ShownKey(KeySummary):
    """A key with its secret, this once."""

    key: str


def keys_router(keys: IngestKeys) -> APIRouter:
    """Routes under /api/v1/keys."""
    router = APIRouter(prefix="/api/v1/keys", tags=["keys"], dependencies=[Depends(local_only)])

    @router.get("", summary="All ingest keys, without their secrets")
    async def list_keys() -> list[KeySummary]:
        with _file_problems():
            return [_summary(entry) for entry in keys.entries]

    @router.get("/{name}", summary="One ingest key, without its secret")
    async def show_key(name: str) -> KeySummary:
        return _summary(_find(keys, name))

    @router.post("", status_code=201, summary="Make a key; it is shown this once", responses=CREATED)
    async def add_key(new: NewKey, response: Response) -> ShownKey:
        with _file_problems():
            _refuse(keys, new)
            expires = datetime.now(UTC) + timedelta(days=new.days) if new.days is not None else None
            entry = keys.add(new.name, title=new.title, expires=expires, private=new.private, tickets=new.tickets)
        response.headers["cache-control"] = "no-store"
        response.headers["location"] = f"/api/v1/keys/{quote(entry.name, safe='')}"
        return _show(entry)

    @router.patch("/{name}", summary="Another title for the same stream, from its next beginning on")
    async def retitle_key(name: str, new: NewTitle) -> KeySummary:
        _find(keys, name)
        with _file_problems():
            return _summary(keys.retitle(name, new.title))

    @router.post("/{name}/rotate", summary="Another key for the same stream; the old one is no longer good")
    async def rotate_key(name: str, response: Response) -> ShownKey:
        _find(keys, name)
        response.headers["cache-control"] = "no-store"
        with _file_problems():
            return _show(keys.rotate(name))

    @router.delete("/{name}", status_code=204, summary="Take a key back; a push with it ends")
    async def remove_key(name: str) -> None:
        _find(keys, name)
        with _file_problems():
            keys.remove(name)

    return router


@contextmanager
def _file_problems() -> Iterator[None]:
    """Raises Problem for a file that cannot be used."""
    try:
        yield
    except KeyFileBroken as error:
        raise Problem(
            status=500, title="The file of ingest keys cannot be used", detail=str(error), slug="key-file"
        ) from error


def _refuse(keys: IngestKeys, new: NewKey) -> None:
    """Raises Problem for a key that there is already, one too many, or one whose stream is to be sealed in two ways."""
    if new.private and new.tickets:
        raise Problem(
            status=422, title="A stream is sealed in one way", detail="Choose private or tickets.", slug="two-ways"
        )
    if any(entry.name == new.name for entry in keys.entries):
        raise Problem(status=409, title="There is a key of that name", detail="Choose another name.", slug="key-exists")
    if len(keys.entries) >= KEYS_MAX:
        raise Problem(status=507, title=f"There are {KEYS_MAX} keys already", detail="DELETE /api/v1/keys/{name} some.")


def _find(keys: IngestKeys, name: str) -> KeyEntry:
    with _file_problems():
        entry = next((entry for entry in keys.entries if entry.name == name), None)
    if entry is None:
        raise Problem(status=404, title="There is no key of that name", detail="GET /api/v1/keys lists them.")
    return entry


def _summary(entry: KeyEntry) -> KeySummary:
    return KeySummary(
        name=entry.name, title=entry.title, expires=entry.expires, private=entry.private, tickets=entry.tickets
    )


def _show(entry: KeyEntry) -> ShownKey:
    return ShownKey(**dict(_summary(entry)), key=entry.key)
