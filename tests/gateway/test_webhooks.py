"""Who is told of broadcasts: what, in what order, how often it is tried, and that nobody waits for it."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from gateway.settings import Settings
from gateway.webhooks import WAITING_MAX, Webhooks

URLS = ("http://one.example/told", "http://two.example/told")


class Listeners:
    """Both URLs; ``answers`` gives the status, or an error, of each call in turn, and 204 behind its end."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.heard.append((request.url.host, json.loads(request.content)))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers={"location": "http://10.0.0.1/"} if answer == 302 else {})


def play(listeners: Listeners, act: Callable[[Webhooks], None], urls: tuple[str, ...] = URLS[:1]) -> None:
    async def main() -> None:
        hooks = Webhooks(urls, pauses_s=(0.0, 0.0), transport=httpx.MockTransport(listeners))
        act(hooks)
        await hooks.close()

    asyncio.run(main())


def both(hooks: Webhooks) -> None:
    hooks.tell("started", stream="abc", title="News", link="seedcast:abc")
    hooks.tell("ended", stream="abc", title="News", link="seedcast:abc")


def test_beginning_and_end_are_told_to_everybody_in_order() -> None:
    listeners = Listeners()
    play(listeners, both, URLS)
    said = [(host, event["event"], event["title"]) for host, event in listeners.heard]
    assert said == [
        ("one.example", "started", "News"),
        ("two.example", "started", "News"),
        ("one.example", "ended", "News"),
        ("two.example", "ended", "News"),
    ]
    assert set(listeners.heard[0][1]) == {"event", "stream", "title", "link", "at"}


@pytest.mark.parametrize("fault", [500, 503, 302, httpx.ConnectError("refused"), httpx.ReadTimeout("late")])
def test_what_fails_is_tried_again(fault: int | Exception) -> None:
    listeners = Listeners(fault, fault)
    play(listeners, both)
    assert [event["event"] for _, event in listeners.heard] == ["started", "started", "started", "ended"]


def test_what_goes_on_failing_is_given_up_and_a_refusal_at_once(caplog: pytest.LogCaptureFixture) -> None:
    listeners = Listeners(500, 500, 500, 404)
    play(listeners, both)
    assert [event["event"] for _, event in listeners.heard] == ["started", "started", "started", "ended"]
    assert "it answered 500" in caplog.text
    assert "it answered 404" in caplog.text


def test_a_redirect_is_not_followed() -> None:
    listeners = Listeners(302, 302, 302)
    play(listeners, lambda hooks: hooks.tell("started", stream="a", title="", link=""))
    assert {host for host, _ in listeners.heard} == {"one.example"}


def test_what_waits_is_bounded() -> None:
    listeners = Listeners()

    def many(hooks: Webhooks) -> None:
        for number in range(WAITING_MAX + 10):
            hooks.tell("started", stream=str(number), title="", link="")

    play(listeners, many)
    assert [event["stream"] for _, event in listeners.heard] == [str(n) for n in range(10, WAITING_MAX + 10)]


def test_without_anybody_to_tell_nothing_is_done() -> None:
    play(Listeners(), both, ())


@pytest.mark.parametrize("url", ["ftp://x/y", "http://", "example.org", "file:///etc/passwd"])
def test_only_http_urls_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="is no http"):
        Settings.model_validate({"webhooks": [url]})
