"""``make bench-gateway``: what the gateway must reach towards players; the last line is one JSON object.

1. The demonstration with seven peers in a real Chromium with hls.js: true delay by the clock in the picture, stalls,
   and the first frame after a click, of a stream that the gateway is in the swarm of and of one that it is not.
2. A gateway with a stream of 4 Mbit/s: from a part in the window to the first byte of a blocked playlist reply, and two
   hundred players, low-latency and ordinary ones, these compared with nginx and the same files in the same run.
3. Memory with half an hour behind it.
4. A day on a clock that is sped up.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence

import httpx

from tests.bench.gateway_day import play_day
from tests.bench.gateway_load import gateway_process, idle_cores, measure, measure_memory, nginx_process
from tests.e2e.browser import open_browser, open_page, wait_for_first_frame, wait_for_playback, watched
from tests.e2e.stage import Stage

BITRATE_BPS = 4_000_000
BLOCKED = 50
PLAYERS = 200
OPENINGS = 5
PART_S = 0.2
"""A part is late that is not at its player before the next one is whole."""

Figures = dict[str, float | int | None]


def measure_page(seconds: float) -> Figures:
    """The page in Chromium: opened several times with the stream joined and not, then watched."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium to play with: apt install chromium, or let `make bench-gateway` do it as root.")
    joined: list[float] = []
    fresh: list[float] = []
    with Stage(6) as stage, open_browser(chromium) as browser:
        for _ in range(OPENINGS):
            _leave(stage)
            with open_page(browser, stage.url) as page:
                fresh.append(wait_for_first_frame(page))
            with open_page(browser, stage.url) as page:
                joined.append(wait_for_first_frame(page))
        with open_page(browser, stage.url) as page:
            wait_for_first_frame(page)
            wait_for_playback(page, seconds)
            seen = watched(page)
    return {
        "hls_js_delay_median_s": statistics.median(seen.delays_s),
        "hls_js_delay_p95_s": share(seen.delays_s, 0.95),
        "hls_js_seconds": seconds,
        "hls_js_stalls": seen.stalls,
        "first_frame_joined_s": statistics.median(joined),
        "first_frame_joined_worst_s": max(joined),
        "first_frame_not_joined_s": statistics.median(fresh),
        "first_frame_not_joined_worst_s": max(fresh),
    }


def _leave(stage: Stage) -> None:
    """The gateway forgets the stream, and knows its link again: the next player makes it join."""
    with httpx.Client(base_url=stage.url, trust_env=False, timeout=30) as api:
        name = api.get("/api/v1/streams").json()[0]["id"]
        api.delete(f"/api/v1/streams/{name}").raise_for_status()
        api.post("/api/v1/streams", json={"link": stage.demo.link}).raise_for_status()


def measure_load(seconds: float) -> Figures:
    """Crowds one after another on one gateway, and one on nginx."""
    with gateway_process(bitrate_bps=BITRATE_BPS) as server:
        idle = idle_cores(server)
        blocked = measure(server, "blocked", BLOCKED, seconds)
        segments = measure(server, "segments", PLAYERS, seconds)
        with nginx_process(server) as nginx:
            plain = measure(nginx, "segments", PLAYERS, seconds)
        parts = measure(server, "parts", PLAYERS, seconds)
    for load in (blocked, segments, plain, parts):
        if load.faults:
            print(f"  faults: {load.faults[:3]}", flush=True)
    return {
        "reply_p50_ms": 1e3 * share(blocked.reply_s, 0.5),
        "reply_p99_ms": 1e3 * share(blocked.reply_s, 0.99),
        "reply_worst_ms": 1e3 * max(blocked.reply_s),
        "players": PLAYERS,
        "idle_cores": idle,
        "parts_late": sum(late_s > PART_S for late_s in parts.late_s),
        "parts_loaded": len(parts.late_s),
        "parts_p99_ms": 1e3 * share(parts.late_s, 0.99),
        "parts_worst_ms": 1e3 * max(parts.late_s),
        "parts_cores": parts.cores,
        "parts_cpu_per_player_percent": 100 * (parts.cores - idle) / PLAYERS,
        "segments_cores": segments.cores,
        "segments_mbit_s": segments.mbit_s,
        "segments_p99_ms": 1e3 * share(segments.took_s, 0.99),
        "segments_cpu_per_player_percent": 100 * (segments.cores - idle) / PLAYERS,
        "nginx_cores": plain.cores,
        "nginx_mbit_s": plain.mbit_s,
        "nginx_p99_ms": 1e3 * share(plain.took_s, 0.99),
        "segments_cpu_s_a_gigabyte": segments.cpu_s_a_gigabyte(idle),
        "nginx_cpu_s_a_gigabyte": plain.cpu_s_a_gigabyte(0.0),
        "segments_to_nginx": segments.cpu_s_a_gigabyte(idle) / plain.cpu_s_a_gigabyte(0.0),
        "load_faults": sum(len(load.faults) for load in (blocked, segments, plain, parts)),
    }


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def main() -> None:
    """Print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="make bench-gateway", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="of playing in Chromium")
    parser.add_argument("--load-seconds", type=float, default=30.0, help="of each crowd")
    parser.add_argument("--hours", type=float, default=24.0, help="of the simulated day")
    parser.add_argument("--only", choices=("page", "load", "memory", "day"))
    options = parser.parse_args()
    steps: dict[str, tuple[str, Callable[[], Mapping[str, float | int | None]]]] = {
        "page": ("Seven peers, Chromium and hls.js ...", lambda: measure_page(options.seconds)),
        "load": ("Crowds of players, and nginx ...", lambda: measure_load(options.load_seconds)),
        "memory": ("Half an hour behind it ...", lambda: measure_memory(BITRATE_BPS)),
        "day": ("A day ...", lambda: play_day(options.hours)),
    }
    figures: Figures = {}
    for name, (title, step) in steps.items():
        if options.only in (None, name):
            print(title, flush=True)
            found = step()
            for key, value in found.items():
                print(f"{key:>34}  {value:.3f}" if isinstance(value, float) else f"{key:>34}  {value}", flush=True)
            figures |= found
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
