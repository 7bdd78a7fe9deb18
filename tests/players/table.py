"""The table for people, and the object for machines."""

from collections.abc import Sequence
from dataclasses import asdict

from tests.players.play import Outcome, Play
from tests.players.readers import Reading

COLUMNS = (
    "player",
    "version",
    "URL",
    "settings",
    "plays",
    "first frame s",
    "stalls",
    "errors",
    "delay median / p95 s",
    "target s",
    "idle CPU",
)

Row = tuple[Play, Outcome]


def render_table(rows: Sequence[Row]) -> str:
    """In Markdown, as docs/players.md has it. Bold is what is recommended for a player."""
    cells = [list(COLUMNS), ["---"] * len(COLUMNS), *(_cells(play, outcome) for play, outcome in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def within_target(play: Play, outcome: Outcome) -> bool | None:
    """None where there is no target, or where the player was not tried."""
    figures = outcome.figures
    if play.target_s is None or figures is None:
        return None
    if not figures.plays or figures.delay_median_s is None or figures.delay_p95_s is None:
        return False
    p95_is_well = play.p95_target_s is None or figures.delay_p95_s <= play.p95_target_s
    return figures.delay_median_s <= play.target_s and p95_is_well


def as_object(play: Play, outcome: Outcome) -> dict[str, object]:
    """One player and URL, for JSON."""
    figures = asdict(outcome.figures) if outcome.figures else {}
    return {
        "player": play.player,
        "version": outcome.version,
        "view": play.view,
        "options": play.options,
        "recommended": play.recommended,
        **{name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()},
        "errors": list(outcome.errors),
        "missing": outcome.missing,
        "idle": round(outcome.idle, 2),
        "target_s": play.target_s,
        "within_target": within_target(play, outcome),
    }


def _cells(play: Play, outcome: Outcome) -> list[str]:
    url = f"**`{play.view}`**" if play.recommended else f"`{play.view}`"
    known = [
        play.player.replace("<", "`<").replace(">", ">`"),
        outcome.version,
        url,
        f"`{play.options}`" if play.options else "",
    ]
    figures = outcome.figures
    if figures is None:
        return [*known, outcome.missing, "", "", "", "", "", ""]
    stalls = f"{figures.stalls} ({figures.stalled_s:.1f} s)" if figures.stalls else "0"
    delay = f"{_seconds(figures.delay_median_s)} / {_seconds(figures.delay_p95_s)}"
    plays = "yes" if figures.plays else "no"
    return [
        *known,
        plays,
        _seconds(figures.first_frame_s),
        stalls,
        str(len(outcome.errors)),
        delay,
        _target(play, outcome),
        f"{outcome.idle:.0%}",
    ]


def _target(play: Play, outcome: Outcome) -> str:
    if play.target_s is None:
        return ""
    bounds = f"{play.target_s:g}" + (f" / {play.p95_target_s:g}" if play.p95_target_s is not None else "")
    return f"{bounds} {'kept' if within_target(play, outcome) else 'missed'}"


def _seconds(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.2f}"


def render_readings(readings: Sequence[Reading]) -> str:
    """In Markdown: what reads without showing."""
    cells = [["reader", "version", "URL", "reads", "found"], ["---"] * 5]
    cells += [[r.reader, r.version, f"`{r.view}`", "yes" if r.is_well else "no", r.found] for r in readings]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
