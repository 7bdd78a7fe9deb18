"""The figures of a broadcast as people read them."""

from collections.abc import Iterable
from math import isfinite

from swarm.sim.report import Report
from swarm.sim.scenarios import Scenario
from swarm.sim.trial import Trial

KINDS = {
    "headers": "signed header, Merkle path and index of each needed block",
    "unused": "padding of pieces, and blocks of those that never became whole",
    "spare": "blocks of the spare stripe that came when the piece was whole",
    "duplicates": "blocks that were here before",
    "control": "adverts, requests, introductions, addresses",
}
"""What each kind of overhead is."""


def table(trial: Trial, scenario: Scenario, seconds: float, cpu_s: float) -> str:
    """All figures of one run, in lines of about 100 characters."""
    rows = [*_head(trial, scenario, seconds), "", *_delivery(trial.figures), "", *_costs(trial.figures)]
    rows += ["", *_safety(trial), f"digest              {trial.figures.digest}, {cpu_s:.1f} s of processor time"]
    return "\n".join(rows)


def seconds_text(value: float) -> str:
    """A time for people: ``never`` when it is infinite."""
    if isfinite(value):
        return f"{value:.2f}"
    return "never" if value > 0 else "-"


def percent(value: float, digits: int = 2) -> str:
    """A share for people; one that is not whole never reads as 100."""
    text = f"{value * 100:.{digits}f}"
    if float(text) >= 100 > value * 100:
        return f"{100 - 10**-digits:.{digits}f} %"
    return f"{text} %" if isfinite(value) else "-"


def _head(trial: Trial, scenario: Scenario, seconds: float) -> Iterable[str]:
    show = trial.stage.world.show
    yield f"{scenario.name}: {scenario.about}"
    yield (
        f"{trial.stage.viewers} viewers, {seconds:g} s, seed {trial.figures.seed}; {show.bitrate_bps / 1e6:g} Mbit/s, "
        f"pieces of {show.piece_s:g} s, any {show.k} of {show.n} blocks; "
        f"upload {scenario.upload:g}x, source {scenario.source_multiple:g}x"
    )


def _delivery(figures: Report) -> Iterable[str]:
    delays = (figures.delay_p50_s, figures.delay_p95_s, figures.delay_p99_s, figures.delay_p999_s)
    yield "                       p50     p95     p99   p99.9"
    yield "delay after capture  " + "  ".join(f"{seconds_text(value):>6}" for value in delays) + "  s"
    bounds = (seconds_text(figures.delay_bound_p50_s), seconds_text(figures.delay_bound_s))
    yield f"  these lines allow  {bounds[0]:>6}          {bounds[1]:>6}          s, for a single piece at the very best"
    joins = (seconds_text(figures.join_p50_s), seconds_text(figures.join_p95_s))
    yield f"start-up             {joins[0]:>6}  {joins[1]:>6}                  s, of {figures.joins} who joined"
    yield (
        f"complete within      1 s {percent(figures.within_1s, 3)}, 2 s {percent(figures.within_2s, 3)}, "
        f"5 s {percent(figures.within_5s, 3)} of {figures.pieces} pieces due at {figures.viewers} viewers"
    )
    missed = f"mean {figures.missed_mean_s:.2f}, p95 {seconds_text(figures.missed_p95_s)} s a viewer"
    yield f"missed at 2 s        {missed}, from the event on"
    yield "glitches by length   " + ", ".join(f"{length}: {count}" for length, count in figures.glitches.items())


def _costs(figures: Report) -> Iterable[str]:
    yield (
        f"source multiple      {figures.source_multiple:.2f}; at worst {figures.source_burst_s:.1f} s of the stream "
        "ahead of its bound"
    )
    yield f"upload used          {percent(figures.upload_use, 1)} of what the viewers' lines carry"
    yield f"overhead             {percent(figures.overhead_total)} of the payload; parity costs a viewer nothing,"
    yield "                     since any k blocks do and the rest is not sent to it"
    for kind, share in figures.overhead.items():
        yield f"  {kind:<11} {percent(share):>12}   {KINDS[kind]}"


def _safety(trial: Trial) -> Iterable[str]:
    figures = trial.figures
    kinds = sorted(set(trial.stage.liars.values()))
    if kinds:
        yield (
            f"{' and '.join(kind + 's' for kind in kinds):<20} {figures.liars}: {figures.liars_banned} banned, "
            f"{figures.liars_avoided} avoided; of the honest {figures.honest_banned} banned, "
            f"{figures.honest_avoided} avoided for a while"
        )
    yield f"forged pieces        {figures.forged_delivered} delivered; no invariant violated"
    yield f"recovery             everybody has everything {trial.recovered_s:.1f} s after the last fault ended"
