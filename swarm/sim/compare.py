"""``python -m swarm.sim.compare``: the same broadcasts by this tree and by an older commit, side by side.

The older commit is checked out beside the repository for as long as it takes; each run is a process of its own in
its tree, one after the other, so that their processor times can be compared.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

SCENARIOS = "calm,stress,mass-exit"
FIGURES = (
    "delay_p50_s",
    "delay_p95_s",
    "delay_p99_s",
    "within_1s",
    "within_2s",
    "within_5s",
    "join_p50_s",
    "join_p95_s",
    "missed_p95_s",
    "source_multiple",
    "overhead_total",
    "upload_use",
    "forged_delivered",
    "recovered_s",
    "cpu_s",
)
Figures = Mapping[str, object]


class CannotCompare(Exception):
    """Git or its repository does not give what is needed; the text says what."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one table a scenario; 1 when this tree fails where it should not, 2 when there is nothing to compare."""
    options = _parser().parse_args(arguments)
    repository = Path(options.repository).resolve()
    failed = False
    try:
        with worktree(repository, options.base) as base:
            for scenario in options.scenarios.split(","):
                failed |= not _compare(options, repository, base, scenario)
    except CannotCompare as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    return int(failed)


@contextmanager
def worktree(repository: Path, commit: str) -> Iterator[Path]:
    """A commit's files in a folder that is gone afterwards. Raises CannotCompare."""
    with tempfile.TemporaryDirectory(prefix="seedcast-base-") as folder:
        tree = Path(folder) / "tree"
        _git(repository, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            yield tree
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))


def simulate(tree: Path, scenario: str, options: argparse.Namespace, seed: int) -> Figures | str:
    """The figures of one run in a tree, or why there are none."""
    command = [sys.executable, "-m", "swarm.sim", "--scenario", scenario, "--viewers", str(options.viewers)]
    command += ["--seconds", str(options.seconds), "--seed", str(seed), "--json"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    said = (done.stdout if done.stdout.strip() else done.stderr).strip().splitlines()
    try:
        figures = json.loads(said[-1]) if done.returncode == 0 else None
    except (IndexError, ValueError):
        figures = None
    if isinstance(figures, dict):
        return figures
    if "invalid choice" in done.stderr or "unrecognized arguments" in done.stderr:
        return f"has no scenario {scenario}"
    return said[-1] if said else f"ended with code {done.returncode}"


def rows(base: Sequence[Figures], ours: Sequence[Figures]) -> list[str]:
    """One line a figure: its median over the seeds on either side, and the difference."""
    found = [f"  {'':<17} {'base':>10} {'this tree':>10} {'change':>10}"]
    for name in FIGURES:
        old, new = _middle(base, name), _middle(ours, name)
        if old is not None or new is not None:
            change = f"{new - old:+.4f}" if old is not None and new is not None else "-"
            found.append(f"  {name:<17} {_text(old):>10} {_text(new):>10} {change:>10}")
    same = [one.get("digest") == other.get("digest") for one, other in zip(base, ours, strict=False)]
    return [*found, f"  the same deliveries with {sum(same)} of {len(same)} seeds"] if same else found


def _compare(options: argparse.Namespace, repository: Path, base: Path, scenario: str) -> bool:
    seeds = [int(seed) for seed in options.seeds.split(",")]
    sides: list[list[Figures]] = []
    sound = True
    sys.stdout.write(f"{scenario}: {options.viewers} viewers, {options.seconds:g} s, seeds {options.seeds}\n")
    for name, tree in (("base", base), ("this tree", repository)):
        answers = [simulate(tree, scenario, options, seed) for seed in seeds]
        for answer in {answer for answer in answers if isinstance(answer, str)}:
            sys.stdout.write(f"  {name}: {answer}\n")
            sound &= tree is base
        sides.append([answer for answer in answers if not isinstance(answer, str)])
    sys.stdout.write("\n".join(rows(*sides)) + "\n\n")
    sys.stdout.flush()
    return sound


def _middle(runs: Sequence[Figures], name: str) -> float | None:
    values = [value for run in runs if isinstance(value := run.get(name), int | float)]
    return median(values) if values and len(values) == len(runs) else None


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _git(repository: Path, *words: str) -> None:
    git = shutil.which("git")
    if git is None:
        raise CannotCompare("git is not installed; it is what holds the older commit")
    done = subprocess.run([git, "-C", str(repository), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotCompare(f"git {words[0]} {words[1]}: {done.stderr.strip()}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swarm.sim.compare", description=__doc__)
    add: Callable[..., object] = parser.add_argument
    add("--base", default="HEAD~1", help="the commit to compare with")
    add("--scenarios", default=SCENARIOS, help="separated by commas")
    add("--viewers", type=int, default=100)
    add("--seconds", type=float, default=30.0)
    add("--seeds", default="1,2,3", help="separated by commas")
    add("--repository", default=".", help="this tree")
    return parser


if __name__ == "__main__":
    sys.exit(main())
