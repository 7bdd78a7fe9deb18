"""The control API's ingest keys: made, changed and taken back. A key itself is shown once, when it is made."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from gateway.ingest.errors import KeyFileBroken
from gateway.ingest.keys import NAME_CHARS_MAX, TITLE_CHARS_MAX, IngestKeys, KeyEntry
from gateway.problems import Problem
from gateway.routes.local_only import local_only

DAYS_MAX = 36_500


class NewKey(BaseModel):
    """A key to make."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^/\x00-\x1f]+$")]
    title: Annotated[str, Field(max_length=TITLE_CHARS_MAX, description="What viewers see; else the key's name.")] = ""
    days: Annotated[float | None, Field(gt=0, le=DAYS_MAX, description="How long it is good; null for ever.")] = None


class KeySummary(BaseModel):
    """A key without its secret."""

    name: str
    title: str
    expires: datetime | None


class ShownKey(KeySummary):
    """A key with its secret, this once."""

    key: str


def keys_router(keys: IngestKeys) -> APIRouter:
    """Routes under /api/v1/keys."""
    router = APIRouter(prefix="/api/v1/keys", tags=["keys"], dependencies=[Depends(local_only)])

    @router.get("", summary="All ingest keys, without their secrets")
    async def list_keys() -> list[KeySummary]:
        try:
            return [KeySummary(name=e.name, title=e.title, expires=e.expires) for e in keys.entries]
        except KeyFileBroken as error:
            raise _broken(error) from error

    @router.post("", status_code=201, summary="Make a key; it is shown this once")
    async def add_key(new: NewKey, response: Response) -> ShownKey:
        expires = datetime.now(UTC) + timedelta(days=new.days) if new.days is not None else None
        try:
            if any(entry.name == new.name for entry in keys.entries):
                raise Problem(
                    status=409, title="There is a key of that name", detail="Choose another name.", slug="key-exists"
                )
            entry = keys.add(new.name, title=new.title, expires=expires)
        except KeyFileBroken as error:
            raise _broken(error) from error
        response.headers["cache-control"] = "no-store"
        return _show(entry)

    @router.post("/{name}/rotate", summary="Another key for the same stream; the old one is no longer good")
    async def rotate_key(name: str, response: Response) -> ShownKey:
        _find(keys, name)
        response.headers["cache-control"] = "no-store"
        try:
            return _show(keys.rotate(name))
        except KeyFileBroken as error:
            raise _broken(error) from error

    @router.delete("/{name}", status_code=204, summary="Take a key back; a push with it ends")
    async def remove_key(name: str) -> None:
        _find(keys, name)
        try:
            keys.remove(name)
        except KeyFileBroken as error:
            raise _broken(error) from error

    return router


def _find(keys: IngestKeys, name: str) -> KeyEntry:
    try:
        entry = next((entry for entry in keys.entries if entry.name == name), None)
    except KeyFileBroken as error:
        raise _broken(error) from error
    if entry is None:
        raise Problem(status=404, title="There is no key of that name", detail="GET /api/v1/keys lists them.")
    return entry


def _show(entry: KeyEntry) -> ShownKey:
    return ShownKey(name=entry.name, title=entry.title, expires=entry.expires, key=entry.key)


def _broken(error: KeyFileBroken) -> Problem:
    return Problem(status=500, title="The file of ingest keys cannot be used", detail=str(error), slug="key-file")
