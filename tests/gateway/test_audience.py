"""Players are counted by who has asked lately."""

from gateway.audience import ACTIVE_S, PLAYERS_MAX, Audience


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
