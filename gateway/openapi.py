"""The API's description: what the framework finds out by itself, and the problems with which everything may answer."""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI

PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "An error by RFC 9457: what is wrong, and what to do.",
    "properties": {
        "type": {"type": "string", "description": "urn:seedcast:problem:... where there are several of one status."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
ANSWER = {
    "description": "A problem.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
CREATED: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "Where it is from now on.", "schema": {"type": "string"}}}}
}
FRAMEWORKS = ("HTTPValidationError", "ValidationError")
"""What the framework would answer to bad input, and this gateway never does."""


def describe_problems(app: FastAPI) -> None:
    """Add the problems to the application's description."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_problems(describe())
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def with_problems(description: dict[str, Any]) -> dict[str, Any]:
    """The description in which every operation may end in a problem."""
    description = deepcopy(description)
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    for name in FRAMEWORKS:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    for path in description["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= {"4XX": ANSWER, "5XX": ANSWER}
    return description
