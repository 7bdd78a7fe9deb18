"""What sealing costs: python -m tests.bench.bench_sealing

The share of one core that a sealed stream of 4 Mbit/s takes on top of an open one, at its source and at a viewer, the
best of five rounds; and what a ticket holder's key costs who gives and who takes it. The last line is one JSON object.
"""

import json
import random
import time
from collections.abc import Callable

from swarm.identity import Identity
from swarm.keyring import Keyring
from swarm.passwords import COST, password_root
from swarm.pieces import make_piece, swarm_tag
from swarm.sealer import Sealing
from swarm.sealing import Admission, Place
from swarm.tickets import Share, read_ticket, sign_ticket, unwrap, viewer_key, wrap
from swarm.units import StreamId

BITRATE_BPS, PIECE_S = 4_000_000, 0.2
ROUNDS, ROUND_PIECES = 5, 100
ONE_ROTATION_S = 60

OWNER = Identity(b"o" * 32)
STREAM = StreamId(OWNER.key)
TAG = swarm_tag(STREAM, 0)


def best_s(work: Callable[[int], object], times: int) -> float:
    """Seconds of one call, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for number in range(times):
            work(number)
        best = min(best, (time.perf_counter() - start) / times)
    return best


def piece_costs() -> dict[str, float]:
    """Shares of a core at the source and at a viewer."""
    payload = random.Random(1).randbytes(int(BITRATE_BPS * PIECE_S / 8))
    source, viewer = Keyring(STREAM), Keyring(STREAM)
    source.seal_with(Sealing(admission=Admission.LINK, session=b"session1", root=b"r" * 32, rotation_s=ONE_ROTATION_S))
    viewer.unlock(b"r" * 32)
    numbers = iter(range(1, ROUNDS * ROUND_PIECES + 2))

    def seal(_: int) -> bytes:
        number = next(numbers)
        capture_us = 1_700_000_000_000_000 + number * 200_000
        return source.seal(payload, Place(TAG, 1, number, True, capture_us, 200_000), number * PIECE_S)

    sealing_s = best_s(seal, ROUND_PIECES)
    sealed = seal(0)
    piece = make_piece(
        sealed,
        stream=STREAM,
        rendition=0,
        epoch=1,
        number=ROUNDS * ROUND_PIECES + 1,
        key=True,
        capture_us=1_700_000_000_000_000 + (ROUNDS * ROUND_PIECES + 1) * 200_000,
        duration_us=200_000,
        k=12,
        n=16,
        owner=OWNER,
    )
    assert viewer.piece(piece.header, sealed) == payload
    opening_s = best_s(lambda _: viewer.piece(piece.header, sealed), ROUND_PIECES)
    return {
        "source_percent_of_a_core": round(100 * sealing_s / PIECE_S, 4),
        "viewer_percent_of_a_core": round(100 * opening_s / PIECE_S, 4),
        "overhead_percent": round(100 * (len(sealed) - len(payload)) / len(payload), 3),
    }


def ticket_costs() -> dict[str, float]:
    """Milliseconds, for one period's key."""
    secret = b"v" * 32
    tickets = [
        sign_ticket(OWNER, serial=n.to_bytes(8, "big"), viewer=viewer_key(secret), expires_s=2_000_000_000)
        for n in range(ROUND_PIECES)
    ]
    share, giver = Share(b"p" * 32, b"d" * 32), Identity(b"g" * 32)
    wrapped = wrap(share, tickets[0], stream=STREAM, period=1, giver=giver)
    assert wrapped is not None

    def give(number: int) -> None:
        read_ticket.cache_clear()
        wrap(share, read_ticket(tickets[number].data, STREAM), stream=STREAM, period=1, giver=giver)

    def take(_: int) -> None:
        unwrap(wrapped, tickets[0], stream=STREAM, period=1, viewer_secret=secret)

    return {
        "give_key_ms": round(1e3 * best_s(give, ROUND_PIECES), 3),
        "take_key_ms": round(1e3 * best_s(take, ROUND_PIECES), 3),
        "password_guess_s": round(best_s(lambda n: password_root(f"guess {n}", bytes(16), COST), 1), 3),
    }


def main() -> None:
    print(json.dumps(piece_costs() | ticket_costs()))


if __name__ == "__main__":
    main()
