"""How fast pieces are coded, hashed and rebuilt, beside zfec in the same run: python -m tests.bench.bench_coding

Megabytes of payload a second, the best of five rounds. The last line is one JSON object.
"""

import json
import random
import time
from collections.abc import Callable

import zfec  # type: ignore[import-untyped] # it ships no types

from swarm.coding import code
from swarm.merkle import tree

SHAPES = ((12, 16, 8192), (12, 16, 2048), (8, 12, 4096), (4, 6, 4096), (16, 24, 16384))
"""k, n, bytes a block."""

ROUNDS = 5
ROUND_S = 0.1


def speed_mb_s(work: Callable[[], object], size_bytes: int) -> float:
    """The best round's speed."""
    best = 0.0
    for _ in range(ROUNDS):
        count, start = 0, time.perf_counter()
        while (spent_s := time.perf_counter() - start) < ROUND_S:
            work()
            count += 1
        best = max(best, count * size_bytes / spent_s / 1e6)
    return round(best, 1)


def measure(k: int, n: int, block_bytes: int) -> dict[str, float]:
    """Speeds of one shape in MB/s."""
    size = k * block_bytes
    payload = random.Random(f"{k}/{n}").randbytes(size)
    ours, data = code(k, n), [payload[i * block_bytes : (i + 1) * block_bytes] for i in range(k)]
    encoder, decoder = zfec.Encoder(k, n), zfec.Decoder(k, n)
    blocks, theirs = ours.encode(payload), encoder.encode(data)
    lost = min(n - k, k)
    held = [*range(lost, k), *range(k, k + lost)]
    after_loss = {i: blocks[i] for i in held}
    after_one = {i: blocks[i] for i in range(1, k + 1)}
    assert ours.rebuild(after_loss, size) == b"".join(decoder.decode([theirs[i] for i in held], held)) == payload
    return {
        "encode": speed_mb_s(lambda: ours.encode(payload), size),
        "zfec_encode": speed_mb_s(lambda: encoder.encode(data), size),
        "rebuild_all_lost": speed_mb_s(lambda: ours.rebuild(after_loss, size), size),
        "zfec_rebuild": speed_mb_s(lambda: b"".join(decoder.decode([theirs[i] for i in held], held)), size),
        "rebuild_one_lost": speed_mb_s(lambda: ours.rebuild(after_one, size), size),
        "tree": speed_mb_s(lambda: tree(blocks), size),
    }


def main() -> None:
    results = {f"{k}/{n} x {size}": measure(k, n, size) for k, n, size in SHAPES}
    columns = list(next(iter(results.values())))
    print(f"{'MB/s':>16}", *(f"{column:>17}" for column in columns))
    for shape, speeds in results.items():
        print(f"{shape:>16}", *(f"{speeds[column]:>17.1f}" for column in columns))
    print(json.dumps({"coding_mb_s": results}))


if __name__ == "__main__":
    main()
