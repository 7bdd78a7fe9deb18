"""``make bench``: the demonstration as a viewer sees it, in a real Chromium, and what happens when viewers are killed.

1. ``tests.bench.swarm``: 7 real nodes, from signing to completion, with and without a kill.
2. The demonstration with its default of six relays: first frame, true delay by the clock in the picture over a
   minute, stalls; the broadcaster's upload against its stream.
3. SIGKILL for one relay, later for two more: stalls of the page's player from then on.

As a baseline of the same run, the page's delay is compared with what the player holds back by its own settings. The
last line is one JSON object.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass

from tests.e2e.browser import open_browser, open_page, wait_for_first_frame, wait_for_playback, watched
from tests.e2e.stage import Stage

OPENINGS = 5
"""How often the page is opened for the first frame."""

AFTER_SAMPLES = 100
"""The newest delays that the page remembers, all from after the kills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the issue's table asks for, and a little more."""

    delay_median_s: float
    delay_p95_s: float
    first_frame_s: float
    first_frame_worst_s: float
    stalls: int
    swarm_delay_p99_s: float
    source_multiple: float
    stalls_after_kill: int
    delay_median_after_kill_s: float
    pieces_lost_by_viewers: int
    hold_back_s: float
    delay_to_hold_back: float
    delay_source: str | None


def measure_demo(viewers: int, seconds: float, swarm_delay_p99_s: float) -> Figures:
    """Open the page several times, watch it, kill relays, watch on."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium to play with: apt install chromium, or let `make bench` do it as root.")
    with Stage(viewers, tell=lambda text: print(f"  {text}", flush=True)) as stage, open_browser(chromium) as browser:
        openings = []
        for _ in range(OPENINGS - 1):
            with open_page(browser, stage.url) as page:
                openings.append(wait_for_first_frame(page))
        with open_page(browser, stage.url) as page:
            openings.append(wait_for_first_frame(page))
            print(f"  first frames after {', '.join(f'{s:.2f}' for s in openings)} s", flush=True)
            wait_for_playback(page, seconds)
            calm = watched(page)
            multiple = stage.source_multiple()
            hold_back_s = float(page.evaluate("window.seedcast.targetLatency ?? NaN"))
            stage.kill(1)
            wait_for_playback(page, seconds / 3)
            stage.kill(2)
            wait_for_playback(page, seconds / 3)
            end = watched(page)
            lost = stage.pieces_lost()
    after = end.delays_s[-AFTER_SAMPLES:]
    median_s = statistics.median(calm.delays_s)
    return Figures(
        delay_median_s=median_s,
        delay_p95_s=statistics.quantiles(calm.delays_s, n=20)[-1],
        first_frame_s=statistics.median(openings),
        first_frame_worst_s=max(openings),
        stalls=calm.stalls,
        swarm_delay_p99_s=swarm_delay_p99_s,
        source_multiple=multiple,
        stalls_after_kill=end.stalls - calm.stalls,
        delay_median_after_kill_s=statistics.median(after),
        pieces_lost_by_viewers=lost,
        hold_back_s=hold_back_s,
        delay_to_hold_back=median_s / hold_back_s,
        delay_source=calm.delay_source,
    )


def measure_swarm(*words: str) -> dict[str, float]:
    """Run the swarm's benchmark by itself and take its last line."""
    command = [sys.executable, "-m", "tests.bench.swarm", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--viewers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    print("Seven real nodes ...", flush=True)
    swarm = measure_swarm("--seconds", "30", "--kill", "0")
    killed = measure_swarm("--seconds", "30", "--kill", "2")
    print(f"  signed to whole: p50 {swarm['signed_p50_s'] * 1e3:.1f} ms, p99 {swarm['signed_p99_s'] * 1e3:.1f} ms")
    print(f"  two of six killed: the worst piece took {killed['delay_max_kill_s']:.2f} s", flush=True)
    print("The demonstration in Chromium ...", flush=True)
    figures = measure_demo(options.viewers, options.seconds, swarm["signed_p99_s"])
    values = asdict(figures)
    for name, value in values.items():
        print(f"{name:>28}  {value:.3f}" if isinstance(value, float) else f"{name:>28}  {value}")
    print(json.dumps(values))


if __name__ == "__main__":
    main()
