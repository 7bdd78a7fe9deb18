"""``python -m swarm.sim``: a simulated broadcast, and its figures."""

import argparse
import gc
import json
import sys
import time
from dataclasses import asdict

from swarm.sim.report import report
from swarm.sim.scenarios import SCENARIOS, play
from swarm.sim.world import Show


def main() -> int:
    """Run one scenario; the last line printed is one JSON object."""
    options = _parser().parse_args()
    # Nothing that the simulator makes is garbage in a cycle before the end, and there is much of it.
    gc.disable()
    begin_s = time.process_time()
    show = Show(bitrate_bps=options.bitrate, piece_s=options.piece_s, k=options.k, n=options.n)
    stage = play(
        SCENARIOS[options.scenario], viewers=options.viewers, seconds=options.seconds, seed=options.seed, show=show
    )
    figures = asdict(report(stage)) | {"cpu_s": round(time.process_time() - begin_s, 1)}
    if not options.json:
        for name, value in figures.items():
            sys.stdout.write(f"{name:>16}  {value}\n")
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swarm.sim", description=__doc__)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="calm")
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--bitrate", type=int, default=2_500_000, help="bit/s")
    parser.add_argument("--piece-s", type=float, default=0.2)
    parser.add_argument("--k", type=int, default=12)
    parser.add_argument("--n", type=int, default=16)
    return parser


if __name__ == "__main__":
    sys.exit(main())
