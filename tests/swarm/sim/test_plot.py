"""The picture is well-formed and shows what there is."""

from dataclasses import replace
from math import inf
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from swarm.sim import plot
from swarm.sim.trial import Trial

SVG = "{http://www.w3.org/2000/svg}"


def drawn(trial: Trial) -> ElementTree.Element:
    return ElementTree.fromstring(plot.plot(trial))


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_the_picture_has_its_panels_lines_and_labels(trial: Trial) -> None:
    root = drawn(trial)
    assert {"Delay after capture, s", "Pieces complete in time", "Viewers", "event", "median"} <= set(texts(root))
    lines = [path for path in root.iter(f"{SVG}path") if path.get("stroke-width") == "2"]
    assert len(lines) == 5
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for line in lines:
        for point in line.get("d", "").removeprefix("M").split("L"):
            x, y = map(float, point.split())
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_what_never_came_is_drawn_at_the_edge(trial: Trial) -> None:
    never = [replace(second, delay_p50_s=inf, delay_p99_s=inf) for second in trial.seconds]
    assert "inf" not in plot.plot(replace(trial, seconds=never))


def test_a_broadcast_without_pieces_has_a_picture_too(trial: Trial) -> None:
    assert "Viewers" in texts(drawn(replace(trial, seconds=[])))


@given(st.floats(0.001, 1e6), st.integers(2, 12))
def test_ticks_are_few_and_within(high: float, most: int) -> None:
    ticks = plot._ticks(0.0, high, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(0 <= tick <= high * (1 + 1e-6) for tick in ticks)


def test_labels_keep_apart() -> None:
    lines = [plot.Line(name, "#000", [1.0]) for name in "abc"]
    placed = plot._apart([(10.0, lines[0]), (10.0, lines[1]), (60.0, lines[2])])
    heights = [at for at, _ in placed]
    assert heights[1] - heights[0] >= plot.LABEL_LEAST
    assert heights[2] == 60.0
