"""Errors as players, programs and people get them: problem details (RFC 9457)."""

import http
from collections.abc import Mapping
from typing import TypedDict

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"

HINTS = {
    404: "There is nothing at this path. The start page is at /, the API's description at /docs.",
    405: "This path does not take that method.",
}


class ProblemBody(TypedDict):
    """The members of RFC 9457 section 3.1 that are used here."""

    type: str
    title: str
    status: int
    detail: str


class Problem(Exception):
    """An answer that is an error: ``title`` names its kind, ``detail`` says what to do.

    ``slug`` is for programs which want to tell kinds apart: the type becomes ``urn:seedcast:problem:<slug>``.
    """

    def __init__(
        self,
        *,
        status: int,
        title: str,
        detail: str = "",
        slug: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{title}. {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.slug = slug
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The problem as an answer."""
        return problem_response(self.status, title=self.title, detail=self.detail, slug=self.slug, headers=self.headers)


def problem_response(
    status: int, *, title: str, detail: str = "", slug: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of `application/problem+json`, which no cache keeps."""
    body = ProblemBody(
        type=f"urn:seedcast:problem:{slug}" if slug else "about:blank",
        title=title,
        status=status,
        detail=detail,
    )
    headers = {"cache-control": "no-store", **(headers or {})}
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer every error this way."""

    @app.exception_handler(Problem)
    async def show_problem(request: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(HTTPException)
    async def show_http_error(request: Request, error: HTTPException) -> Response:
        phrase = _phrase(error.status_code)
        detail = error.detail if error.detail and error.detail != phrase else HINTS.get(error.status_code, "")
        return problem_response(error.status_code, title=phrase, detail=detail, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def show_invalid(request: Request, error: RequestValidationError) -> Response:
        return problem_response(
            422, title="The request is not what is expected here", detail=_explain(error), slug="invalid-request"
        )

    @app.exception_handler(Exception)
    async def show_fault(request: Request, error: Exception) -> Response:
        # The server logs the exception itself; its text may hold what is nobody's business.
        return problem_response(
            500, title="The gateway made a mistake", detail="Its log says more. Try again.", slug="internal"
        )


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _explain(error: RequestValidationError) -> str:
    """One sentence a mistake: where, and what is wrong."""
    return "; ".join(
        f"{'.'.join(str(step) for step in mistake['loc'])}: {mistake['msg']}" for mistake in error.errors()
    )
