"""``python -m swarm.sim``: a simulated broadcast, and its figures.

Lines are home lines: 35 % with about 1x of the stream's rate as upload, 35 % 3x, 15 % 10x, 15 % none.
"""

import argparse
import json
import sys
from dataclasses import asdict

from swarm.drivers.memory import Line
from swarm.settings import NodeSettings
from swarm.sim.report import report
from swarm.sim.world import Show, World

SCENARIOS = ("calm", "kill")
JOIN_OVER_S = 5.0


def main() -> int:
    """Run one scenario; the last line printed is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m swarm.sim", description=__doc__)
    parser.add_argument("--scenario", choices=SCENARIOS, default="calm")
    parser.add_argument("--viewers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    world = World(seed=options.seed, show=Show(), settings=NodeSettings())
    joined_s: dict[str, float] = {}
    luck = world.net.random("lines")
    for i in range(options.viewers):
        rate = world.show.bitrate_bps * luck.choices([0.05, 1.0, 3.0, 10.0], [15, 35, 35, 15])[0]
        line = Line(uplink_bps=rate * 1.1, delay_s=luck.uniform(0.005, 0.04), jitter_s=0.01)
        start_s = 1 + JOIN_OVER_S * i / options.viewers

        def join(line: Line = line) -> None:
            host = world.add_viewer(line)
            joined_s[host.name] = world.net.now

        world.net.at(start_s, join)
    if options.scenario == "kill":
        for i in range(options.viewers // 5):
            world.net.at(options.seconds / 2, lambda i=i: world.net.kill(world.viewers[i]))  # type: ignore[misc]
    world.run(options.seconds)
    figures = asdict(report(world, joined_s)) | {"scenario": options.scenario, "seed": options.seed}
    for name, value in figures.items():
        sys.stdout.write(f"{name:>16}  {value}\n")
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
