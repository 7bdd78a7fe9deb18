"""``python -m swarm.sim``: a simulated broadcast, and its figures."""

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

from swarm.errors import LocalError
from swarm.sim.invariants import Violation
from swarm.sim.plot import plot
from swarm.sim.scenarios import SCENARIOS, Scenario
from swarm.sim.table import table
from swarm.sim.trial import run
from swarm.sim.world import Show

OVERRIDES = {"upload": 1.0, "source_multiple": 1.0, "loss": 0.5}
"""What the command line may change in a scenario, and by which factor: a way crosses two lines, each loses half."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one scenario; 1 when something was as it must not be."""
    options = _parser().parse_args(arguments)
    if options.list:
        sys.stdout.writelines(f"{name:<15} {scenario.about}\n" for name, scenario in SCENARIOS.items())
        return 0
    # Nothing that the simulator makes is garbage in a cycle before the end, and there is much of it.
    gc.disable()
    begin_s = time.process_time()
    scenario = _scenario(options)
    options.seconds = scenario.seconds if options.seconds is None else options.seconds
    show = Show(bitrate_bps=options.bitrate, piece_s=options.piece_s, k=options.k, n=options.n)
    size = {"viewers": options.viewers, "seconds": options.seconds, "seed": options.seed}
    try:
        trial = run(scenario, **size, show=show, dear=options.check)
    except LocalError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    except Violation as violation:
        sys.stdout.write(f"violated: {violation}\nto see it again: {_command(options)}\n")
        return 1
    cpu_s = time.process_time() - begin_s
    if options.json:
        figures = trial.figures.plain() | {"recovered_s": round(trial.recovered_s, 3), "cpu_s": round(cpu_s, 1)}
        sys.stdout.write(json.dumps(figures, allow_nan=False) + "\n")
    else:
        sys.stdout.write(table(trial, scenario, options.seconds, cpu_s) + "\n")
    path = options.plot if options.plot is not None or options.json else f"sim-{scenario.name}.svg"
    if path:
        Path(path).write_text(plot(trial), encoding="utf-8")
        if not options.json:
            sys.stdout.write(f"plot                 {Path(path).resolve()}\n")
    return 0


def _scenario(options: argparse.Namespace) -> Scenario:
    given = {name: getattr(options, name) * factor for name, factor in OVERRIDES.items() if _is_given(options, name)}
    return replace(SCENARIOS[options.scenario], **given)


def _is_given(options: argparse.Namespace, name: str) -> bool:
    return getattr(options, name) is not None


def _command(options: argparse.Namespace) -> str:
    """The line that plays the same again."""
    words = ["python -m swarm.sim", f"--scenario {options.scenario}", f"--viewers {options.viewers}"]
    words += [f"--seconds {options.seconds:g}", f"--seed {options.seed}"]
    plain = _parser().parse_args([])
    for name in (*OVERRIDES, "bitrate", "piece_s", "k", "n"):
        value = getattr(options, name)
        if value != getattr(plain, name):
            words.append(f"--{name.replace('_', '-')} {value!r}")
    return " ".join([*words, "--check"] if options.check else words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swarm.sim", description=__doc__)
    add = parser.add_argument
    add("--list", action="store_true", help="name the scenarios and end")
    add("--scenario", choices=sorted(SCENARIOS), default="calm")
    add("--viewers", type=_count, default=100)
    add("--seconds", type=_amount, help="virtual time (30, for a flash crowd 72); figures begin after 15 s of it")
    add("--seed", type=int, default=1, help="the same seed gives the same run")
    add("--json", action="store_true", help="print one JSON object and nothing else")
    add("--plot", metavar="FILE", help="SVG to write; '' for none (default: sim-SCENARIO.svg, none with --json)")
    add("--check", action="store_true", help="turn on the dear checks: about ten times slower")
    add("--upload", type=_amount, help="the viewers' mean uplink, as a multiple of the stream")
    add("--source-multiple", type=_amount, help="the source's upload, as a multiple of the stream")
    add("--loss", type=_share, help="share of packets lost between two hosts")
    add("--bitrate", type=_count, default=2_500_000, help="bit/s")
    add("--piece-s", type=_amount, default=0.2)
    add("--k", type=_count, default=12)
    add("--n", type=_count, default=16)
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not 0 < value < inf:
        raise ValueError
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError
    return value


if __name__ == "__main__":
    sys.exit(main())
