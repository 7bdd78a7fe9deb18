"""A broadcast as a picture: delay, pieces in time and viewers over the seconds of capture, as SVG of our own making."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from xml.sax.saxutils import escape

from swarm.sim.scenarios import Scenario
from swarm.sim.series import Second, most_finite
from swarm.sim.table import percent, seconds_text
from swarm.sim.trial import Trial

WIDTH, LEFT, RIGHT = 960, 76, 132
TOP, GAP, BOTTOM = 116, 46, 54
INK, FAINT, GRID, WASH = "#1f2328", "#59636e", "#d8dee4", "#f3f4f6"
MEDIAN, TAIL, EVENT = "#0a58ca", "#c2410c", "#7c3aed"
FONT = "font-family='system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif'"
DELAY_LEAST_S, DELAY_MOST_S = 1.0, 6.0
"""The axis of delays ends between these; what takes longer is drawn at the upper edge."""

LABEL_LEAST = 15.0
"""Labels of lines keep so far apart."""

SHARE_FLOORS = (0.99, 0.95, 0.9, 0.75, 0.5, 0.0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel: its label and colour, and a value for each second."""

    label: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram. ``low`` to ``high`` is its axis, ``text`` how a value of it reads."""

    title: str
    height: int
    low: float
    high: float
    lines: tuple[Line, ...]
    text: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the seconds lie on the paper."""

    seconds: float

    def x(self, at_s: float) -> float:
        return LEFT + at_s / self.seconds * (WIDTH - LEFT - RIGHT)


def plot(trial: Trial) -> str:
    """The picture as SVG text."""
    stage, course = trial.stage, trial.seconds
    frame = Frame(max(1.0, stage.seconds))
    panels = _panels(course, stage.settled_s)
    height = TOP + sum(panel.height for panel in panels) + GAP * (len(panels) - 1) + BOTTOM
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'",
        f"{FONT}>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        *_headline(trial, stage.scenario),
    ]
    y = TOP
    for panel in panels:
        parts += _draw(panel, [second.at_s for second in course], frame, y, stage.settled_s)
        y += panel.height + GAP
    parts += _time_axis(frame, y - GAP)
    if stage.scenario.event is not None:
        parts += _event(frame, stage.event_s, y - GAP)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panels(course: Sequence[Second], settled_s: float) -> tuple[Panel, ...]:
    """The axes show what the figures are taken of; what goes beyond them before is drawn at the edge."""
    counted = [second for second in course if second.at_s >= settled_s] or course
    p50 = Line("median", MEDIAN, [second.delay_p50_s for second in course])
    p99 = Line("99th percentile", TAIL, [second.delay_p99_s for second in course])
    slowest = min(DELAY_MOST_S, max(DELAY_LEAST_S, most_finite([second.delay_p99_s for second in counted])))
    in_1s = Line("within 1 s", TAIL, [second.within_1s for second in course])
    in_2s = Line("within 2 s", MEDIAN, [second.within_2s for second in course])
    worst = min((second.within_1s for second in counted), default=0.0)
    floor_ = next(low for low in SHARE_FLOORS if low <= worst)
    there = Line("viewers", INK, [float(second.viewers) for second in course])
    return (
        Panel("Delay after capture, s", 190, 0.0, _round_up(slowest), (p50, p99), lambda value: f"{value:g}"),
        Panel("Pieces complete in time", 130, floor_, 1.0, (in_2s, in_1s), lambda value: f"{value * 100:g} %"),
        Panel("Viewers", 80, 0.0, _round_up(max(there.values, default=1.0)), (there,), lambda value: f"{value:g}"),
    )


def _headline(trial: Trial, scenario: Scenario) -> Iterable[str]:
    figures, show = trial.figures, trial.stage.world.show
    yield _text(LEFT, 32, f"{scenario.name}: {scenario.about}", size=19, weight=600)
    setting = (
        f"{trial.stage.viewers} viewers, {show.bitrate_bps / 1e6:g} Mbit/s, any {show.k} of {show.n} blocks, "
        f"upload {scenario.upload:g}x, source {scenario.source_multiple:g}x, seed {figures.seed}"
    )
    yield _text(LEFT, 53, setting, size=13, colour=FAINT)
    result = (
        f"delay p50 {seconds_text(figures.delay_p50_s)} s, p99 {seconds_text(figures.delay_p99_s)} s; "
        f"within 2 s {percent(figures.within_2s, 3)}; source {figures.source_multiple:.2f}x; "
        f"overhead {percent(figures.overhead_total, 1)}"
    )
    yield _text(LEFT, 72, result, size=13, colour=FAINT)


def _draw(panel: Panel, times: Sequence[int], frame: Frame, top: int, settled_s: float) -> Iterable[str]:
    def y(value: float) -> float:
        inside = min(max(value, panel.low), panel.high) if isfinite(value) else panel.high
        return top + panel.height * (1 - (inside - panel.low) / (panel.high - panel.low))

    begin, end = frame.x(0), frame.x(frame.seconds)
    forming = frame.x(settled_s) - begin
    yield f"<rect x='{begin:.1f}' y='{top}' width='{forming:.1f}' height='{panel.height}' fill='{WASH}'/>"
    yield _text(LEFT, top - 8, panel.title, size=13, weight=600)
    for tick in _ticks(panel.low, panel.high):
        yield f"<path d='M{begin:.1f} {y(tick):.1f}H{end:.1f}' stroke='{GRID}'/>"
        yield _text(LEFT - 8, y(tick) + 4, panel.text(tick), size=12, colour=FAINT, anchor="end")
    for line in panel.lines:
        points = [f"{frame.x(at + 0.5):.1f} {y(value):.1f}" for at, value in zip(times, line.values, strict=True)]
        if points:
            shape = "M" + "L".join(points)
            yield f"<path d='{shape}' fill='none' stroke='{line.colour}' stroke-width='2' stroke-linejoin='round'/>"
    ends = [(y(line.values[-1]), line) for line in panel.lines if line.values]
    for at, line in _apart(ends):
        yield _text(frame.x(times[-1] + 0.5) + 8, at + 4, line.label, size=12, colour=line.colour)


def _apart(labels: Sequence[tuple[float, Line]]) -> list[tuple[float, Line]]:
    """Labels from above to below, moved so that none covers another."""
    placed: list[tuple[float, Line]] = []
    for at, line in sorted(labels, key=lambda label: (label[0], -most_finite(label[1].values))):
        placed.append((max(at, placed[-1][0] + LABEL_LEAST) if placed else at, line))
    return placed


def _time_axis(frame: Frame, bottom: int) -> Iterable[str]:
    for tick in _ticks(0.0, frame.seconds, most=10):
        yield f"<path d='M{frame.x(tick):.1f} {bottom}v5' stroke='{FAINT}'/>"
        yield _text(frame.x(tick), bottom + 19, f"{tick:g}", size=12, colour=FAINT, anchor="middle")
    middle = (frame.x(0) + frame.x(frame.seconds)) / 2
    label = "second of capture; shaded: the overlay forms, not counted in the figures"
    yield _text(middle, bottom + 40, label, size=12, colour=FAINT, anchor="middle")


def _event(frame: Frame, at_s: float, bottom: int) -> Iterable[str]:
    x = frame.x(at_s)
    yield f"<path d='M{x:.1f} {TOP - 6}V{bottom}' stroke='{EVENT}' stroke-width='1.5' stroke-dasharray='5 4'/>"
    yield _text(x + 5, TOP - 8, "event", size=12, colour=EVENT)


def _text(
    x: float, y: float, text: str, *, size: int, colour: str = INK, weight: int = 400, anchor: str = "start"
) -> str:
    style = f"font-size='{size}' fill='{colour}' font-weight='{weight}' text-anchor='{anchor}'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {style}>{escape(text)}</text>"


def _ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values between two, ``most`` of them or fewer."""
    step = _round_up((high - low) / most)
    first = ceil(low / step - 1e-9)
    return [round(index * step, 9) for index in range(first, floor(high / step + 1e-9) + 1)]


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= value * (1 - 1e-9))
