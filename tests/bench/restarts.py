"""``make bench-restarts``: a pusher is killed and started anew again and again, while hls.js plays the stream.

For MPEG-TS over HTTP and for RTMP: after each kill, how long the gateway signed no piece (the push's own gap), and how
long the picture stood still in Chromium until the next kill. A player that has a second in stock may show less of a gap
than there was; it must never show more, but for what it needs to notice that there is something again. The last line is
one JSON object.
"""

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Page

from tests.bench.ingest import PUSHES, SOURCE, end, file_name, find_pusher
from tests.bench.ingest_house import House
from tests.e2e.browser import open_browser, open_page, wait_for_first_frame, watched

PUSHED = ("TS, HTTP POST", "RTMP")
SETTLE_S = 5.0
PIECE_S = 0.2
PIECES_AGAIN = 10
STILL_S = 0.25
"""A picture that stands still for so long has stalled: several frames."""
SLACK_S = 0.5
"""The player looks for new parts that often, and begins again at a frame."""

SAMPLE = """() => {
  const video = document.querySelector("video");
  window.seen = [];
  setInterval(() => window.seen.push([Date.now() / 1000, video.currentTime]), 50);
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one protocol. Seconds; a gap is the time without a signed piece, its own length not counted."""

    push: str
    kills: int
    survived: int
    plays_at_end: bool
    gap_p50_s: float
    gap_worst_s: float
    stalls: int
    stall_worst_s: float
    longer_than_gap: int
    excess_worst_s: float
    delay_at_end_s: float | None


def stalls_in(samples: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """When the picture stood still, and for how long, from (time, position) pairs."""
    found = []
    since_s = samples[0][0]
    for (_, before), (now_s, position) in itertools.pairwise(samples):
        if position != before:
            if now_s - since_s > STILL_S:
                found.append((since_s, now_s - since_s))
            since_s = now_s
    if samples[-1][0] - since_s > STILL_S:
        found.append((since_s, samples[-1][0] - since_s))
    return found


def run(house: House, page: Page, pusher: str, push: str, arguments: list[str], options: argparse.Namespace) -> Outcome:
    kills: list[float] = []
    running = subprocess.Popen([pusher, *arguments])
    try:
        assert house.wait_for_pieces(10), f"{push} did not start"
        stream = next(report["id"] for report in house.broadcasts() if report["state"] == "on-air")
        page.goto(f"{house.url}/#{stream}")
        page.reload()
        wait_for_first_frame(page)
        page.wait_for_timeout(SETTLE_S * 1000)
        page.evaluate(SAMPLE)
        for _ in range(options.kills):
            end(running)
            kills.append(time.time())
            running = subprocess.Popen([pusher, *arguments])
            page.wait_for_timeout(options.spacing * 1000)
        samples = [(at_s, position) for at_s, position in page.evaluate("window.seen")]
        last = watched(page)
        page.screenshot(path=options.screenshots / f"restarts-{file_name(push)}.png")
    finally:
        end(running)
    to_wall_s = time.time() - time.monotonic()
    signed = [at_s + to_wall_s for at_s, _ in house.pieces]
    return _sum_up(push, kills, samples, signed, last.delays_s[-1] if last.delays_s else None)


def _sum_up(
    push: str, kills: list[float], samples: list[tuple[float, float]], signed: list[float], delay_s: float | None
) -> Outcome:
    stalls = stalls_in(samples)
    stood_s, gaps_s, survived = [], [], 0
    for killed_s, until_s in itertools.pairwise([*kills, samples[-1][0]]):
        stood_s.append(sum(length_s for at_s, length_s in stalls if killed_s <= at_s < until_s))
        last = max(number for number, at_s in enumerate(signed) if at_s <= killed_s)
        after = [at_s for at_s in signed[last:] if at_s < until_s]
        gaps_s.append(
            max((late - early for early, late in itertools.pairwise(after)), default=until_s - killed_s) - PIECE_S
        )
        survived += len(after) > PIECES_AGAIN
    excess_s = [stood - gap for stood, gap in zip(stood_s, gaps_s, strict=True)]
    return Outcome(
        push=push,
        kills=len(kills),
        survived=survived,
        plays_at_end=samples[-1][1] != samples[-40][1],
        gap_p50_s=round(statistics.median(gaps_s), 2),
        gap_worst_s=round(max(gaps_s), 2),
        stalls=len(stalls),
        stall_worst_s=round(max((length_s for _, length_s in stalls), default=0.0), 2),
        longer_than_gap=sum(excess > SLACK_S for excess in excess_s),
        excess_worst_s=round(max(excess_s), 2),
        delay_at_end_s=round(delay_s, 2) if delay_s is not None else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-restarts", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--spacing", type=float, default=30.0, help="seconds from one kill to the next")
    parser.add_argument("--pusher", default="system", help="system, bundled, or the path of an ffmpeg")
    parser.add_argument("--only", choices=PUSHED, help="one protocol")
    parser.add_argument("--screenshots", type=Path, help="a folder for them; without it one for the time being")
    options = parser.parse_args()
    options.screenshots = options.screenshots or Path(tempfile.mkdtemp(prefix="seedcast-restarts-"))
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium to play with: apt install chromium.")
    pusher = find_pusher(options.pusher)
    print(f"Screenshots go to {options.screenshots}", flush=True)
    outcomes = []
    with tempfile.TemporaryDirectory() as name, House(Path(name)) as house, open_browser(chromium) as browser:
        for push in [options.only] if options.only else PUSHED:
            addresses = house.addresses(file_name(push))
            arguments = [word.format(**addresses) for word in f"{SOURCE} {PUSHES[push]}".split()]
            house.begin()
            with open_page(browser, house.url) as page:
                outcome = run(house, page, pusher, push, arguments, options)
            outcomes.append(outcome)
            for key, value in asdict(outcome).items():
                print(f"{key:>18}  {value}", flush=True)
    print(json.dumps({"spacing_s": options.spacing, "outcomes": [asdict(outcome) for outcome in outcomes]}))


if __name__ == "__main__":
    main()
