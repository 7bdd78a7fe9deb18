"""Every error of the application is a problem-details answer."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query

from gateway.problems import MEDIA_TYPE, Problem, install, problem_response

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask() -> Ask:
    app = FastAPI()
    install(app)

    @app.get("/busy")
    async def busy() -> None:
        raise Problem(status=503, title="Not yet", detail="Try again.", slug="not-yet", headers={"retry-after": "2"})

    @app.get("/number")
    async def number(value: Annotated[int, Query(ge=1)]) -> int:
        return value

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("the secret is 1234")

    async def request(method: str, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return lambda path, method="GET": asyncio.run(request(method, path))


def test_a_problem_says_kind_and_way_out(ask: Ask) -> None:
    answer = ask("/busy")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "urn:seedcast:problem:not-yet",
        "title": "Not yet",
        "status": 503,
        "detail": "Try again.",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("POST", "/busy", 405), ("GET", "/number?value=0", 422), ("GET", "/number", 422)],
)
def test_the_framework_s_own_errors_are_problems_too(ask: Ask, method: str, path: str, status: int) -> None:
    answer = ask(path, method)
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


def test_an_invalid_request_names_the_field(ask: Ask) -> None:
    assert "query.value" in ask("/number?value=many").json()["detail"]


def test_a_method_that_is_not_allowed_names_those_that_are(ask: Ask) -> None:
    assert ask("/busy", "POST").headers["allow"] == "GET"


def test_a_fault_of_ours_tells_no_secret(ask: Ask) -> None:
    answer = ask("/fault")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "1234" not in answer.text


def test_a_problem_without_slug_is_about_blank() -> None:
    response = problem_response(421, title="Misdirected")
    assert b'"about:blank"' in response.body
    assert str(Problem(status=404, title="No such stream", detail="Add it.")) == "No such stream. Add it."
