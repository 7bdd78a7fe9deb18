"""Households in a simulated swarm: ``python -m tests.bench.household``; the last line is one JSON object.

Ten houses of so many viewers each, and twenty viewers alone, come in a random order to a stream of 1.5 Mbit/s, on lines
of 1.5 to 4.5 Mbit/s up and 0.15 % loss, one for each house. Counted is what comes into each house from outside, headers
included, as a multiple of the stream, beside what comes to those alone; and the delays of pieces, capture to whole.
With ``--kill`` all who fetch for a house die at the same instant in the middle, without a word. With ``--stalls``
nothing passes a line for 0.6 s on average, every 15 s; then links die, and what came over them is not counted.
"""

import argparse
import json
import statistics
from dataclasses import dataclass, field
from random import Random

from gateway.reports import quantile
from swarm.drivers.line import Line
from swarm.drivers.memory import Host
from swarm.sim.world import Show, World, delays, losses

BITRATE_BPS = 1_500_000
HOUSES, ALONE = 10, 20
SETTLED_S = 15.0
AFTER_KILL_S = 3.0
STALL_S, STALL_EVERY_S = 0.6, 15.0


@dataclass(slots=True)
class Street:
    """A world, and its viewers by house; those alone are in none, 0."""

    world: World
    houses: dict[int, list[Host]] = field(default_factory=dict)

    def inbound_bytes(self, house: int) -> int:
        """What has come into a house over its line."""
        ends = [end for host in self.houses[house] for end in host.ends.values()]
        return sum(end.far.sent_bytes for end in ends if not end.indoors)

    def fetching(self, house: int) -> list[Host]:
        """Those of a house who lodge with nobody."""
        return [host for host in self.houses[house] if host.alive and not _lodges(self.world, host)]


def _lodges(world: World, host: Host) -> bool:
    status = host.node.status(world.stream)
    return status is not None and any(peer.lodging == "host" for peer in status.peers)


def settle(seed: int, size: int, *, stalls: bool) -> Street:
    """Everybody has come, and found his place."""
    world = World(seed=seed, show=Show(bitrate_bps=BITRATE_BPS), source_line=Line(uplink_bps=20 * BITRATE_BPS))
    street, luck = Street(world), Random(seed)
    order = [0] * ALONE + [house for house in range(1, HOUSES + 1) for _ in range(size)]
    luck.shuffle(order)
    for house in order:
        world.run(luck.uniform(0.05, 0.2))
        line = Line(
            uplink_bps=BITRATE_BPS * luck.uniform(1, 3), delay_s=luck.uniform(0.005, 0.04), jitter_s=0.005, loss=0.0015,
            outage_every_s=STALL_EVERY_S if stalls else 0.0, outage_s=STALL_S,
        )  # fmt: skip
        inside = [host.address for host in street.houses.get(house, [])] if house else []
        host = world.add_viewer(line, [*inside, *world.tracked(luck)], house=house)
        street.houses.setdefault(house, []).append(host)
    world.run(SETTLED_S)
    return street


def measure(seed: int, size: int, seconds: float, *, stalls: bool) -> dict[str, float]:
    """Multiples of the stream, and delays in seconds."""
    street = settle(seed, size, stalls=stalls)
    world = street.world
    before, stream_bytes = {house: street.inbound_bytes(house) for house in street.houses}, world.payload_bytes
    first = max(world.published) + 1
    world.run(seconds)
    stream_bytes = world.payload_bytes - stream_bytes
    times = {house: (street.inbound_bytes(house) - bytes_) / stream_bytes for house, bytes_ in before.items()}
    alone, housed = _delays(street, first, alone=True), _delays(street, first, alone=False)
    houses = [multiple for house, multiple in times.items() if house]
    return {
        "into_house_mean": statistics.mean(houses),
        "into_house_most": max(houses),
        "into_lone": times[0] / ALONE,
        "fetching_most": max(len(street.fetching(house)) for house in street.houses if house),
        "house_p50_s": quantile(housed, 0.5) or 0.0,
        "house_p99_s": quantile(housed, 0.99) or 0.0,
        "lone_p50_s": quantile(alone, 0.5) or 0.0,
        "lone_p99_s": quantile(alone, 0.99) or 0.0,
        "lost": sum(number >= first for host in world.viewers for number in losses(host)),
    }


def kill(seed: int, size: int, seconds: float, *, stalls: bool) -> dict[str, float]:
    """What those left in the houses see of the pieces of the next seconds."""
    street = settle(seed, size, stalls=stalls)
    world = street.world
    for house in range(1, HOUSES + 1):
        for host in street.fetching(house):
            world.net.kill(host)
    first = max(world.published)
    world.run(seconds)
    left = [host for house, hosts in street.houses.items() if house for host in hosts if host.alive]
    last = first + round(AFTER_KILL_S / world.show.piece_s)
    seen = tuple(s for host in left for number, s in delays(world, host).items() if first <= number < last)
    return {
        "after_kill_p50_s": quantile(seen, 0.5) or 0.0,
        "after_kill_p90_s": quantile(seen, 0.9) or 0.0,
        "after_kill_max_s": max(seen),
        "lost": sum(number >= first for host in left for number in losses(host)),
        "fetching_most": max(len(street.fetching(house)) for house in street.houses if house),
    }


def _delays(street: Street, first: int, *, alone: bool) -> tuple[float, ...]:
    hosts = [host for house, hosts in street.houses.items() if (house == 0) is alone for host in hosts]
    return tuple(s for host in hosts for number, s in delays(street.world, host).items() if number >= first)


def main() -> None:
    """Read options, measure seed by seed, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2, help="viewers in each house")
    parser.add_argument("--seeds", type=int, default=4, help="so many runs")
    parser.add_argument("--seconds", type=float, default=40.0, help="virtual seconds to count")
    parser.add_argument("--kill", action="store_true", help="kill all who fetch for a house")
    parser.add_argument("--stalls", action="store_true", help="let lines fail now and then")
    options = parser.parse_args()
    rows = []
    for seed in range(1, options.seeds + 1):
        row = (kill if options.kill else measure)(seed, options.size, options.seconds, stalls=options.stalls)
        rows.append({name: round(value, 3) for name, value in row.items()})
        print(f"seed {seed}: " + ", ".join(f"{name} {value:g}" for name, value in rows[-1].items()), flush=True)
    print(json.dumps({"size": options.size, "kill": options.kill, "stalls": options.stalls, "runs": rows}))


if __name__ == "__main__":
    main()
