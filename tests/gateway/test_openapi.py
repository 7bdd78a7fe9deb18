"""The API keeps to its own description, whatever it is sent: schemathesis reads it and makes the requests."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.commands.serve import running_gateway
from tests.gateway.test_app import settings

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 20
WAITED_FOR = ("stream.ts", "stream.mp4")
"""Answers without an end."""


@pytest.fixture(scope="module")
def gateway_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in a thread of its own: the requests block."""
    loop, stop, url = asyncio.new_event_loop(), asyncio.Event(), list[str]()
    ready = threading.Event()
    folder: Path = tmp_path_factory.mktemp("gateway")

    async def serve() -> None:
        async with running_gateway(settings(folder), stop) as (_, own_url):
            url.append(own_url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    yield url[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_every_answer_is_one_that_the_description_names(gateway_url: str) -> None:
    description = httpx.get(f"{gateway_url}/openapi.json", trust_env=False).json()
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=gateway_url)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path.endswith(WAITED_FOR):
            continue

        @effort(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)

        check()
        tried += 1
    assert tried > 30
