"""Players are counted by who has asked lately."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from gateway.audience import ACTIVE_S, PLAYERS_MAX, Audience, AudienceCounter


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_player_counts_once_and_for_a_while() -> None:
    clock = Clock()
    audience = Audience(clock)
    for _ in range(3):
        audience.note(("news", "10.0.0.1", "mpv"))
    audience.note(("news", "10.0.0.1", "vlc"))
    audience.note(("film", "10.0.0.2", "mpv"))
    assert (audience.count("news"), audience.count("film"), audience.count("none")) == (2, 1, 0)
    clock.now_s += ACTIVE_S
    audience.note(("news", "10.0.0.1", "mpv"))
    clock.now_s += 0.1
    assert (audience.count("news"), audience.count("film")) == (1, 0)


def test_what_is_remembered_is_bounded() -> None:
    audience = Audience(Clock())
    for number in range(PLAYERS_MAX + 10):
        audience.note(("news", str(number), ""))
    assert audience.count("news") == PLAYERS_MAX


def test_a_player_of_an_endless_answer_counts_as_long_as_it_reads() -> None:
    clock = Clock()
    audience = Audience(clock)
    counts: list[int] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for more in (True, True, False):
            clock.now_s += 2 * ACTIVE_S
            await send({"type": "http.response.body", "body": b"x", "more_body": more})
            counts.append(audience.count("news"))

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        pass

    scope: Scope = {"type": "http", "path": "/live/news/stream.ts", "headers": [], "client": ("10.0.0.1", 1)}
    asyncio.run(AudienceCounter(answer, audience=audience)(scope, receive, send))
    assert counts == [1, 1, 0]
