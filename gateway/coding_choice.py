"""How a broadcaster cuts its pieces: k blocks that rebuild one, out of n.

What it weighs: every block costs each peer about the same time whatever its size, and 250 bytes of header and path;
more and smaller blocks spread a piece over more parents, so that each loss hurts less.
"""

BLOCK_BYTES = 5_200
"""A block of a small piece: at 2.5 Mbit/s and 200 ms this makes the 12 blocks that simulations settled on."""

SMALL_K = 4
BLOCK_BYTES_MIN = 3_000
"""Blocks may be as small as this for the sake of 4 of them: with 3, two dead parents cut a piece in half."""

USUAL_K = 12
BLOCK_BYTES_MAX = 20_480
"""Beyond 12 blocks a piece is cut further only when its blocks would outgrow this."""

K_MIN = 2
K_MAX = 24


def coding_for(bitrate_bps: float, piece_s: float) -> tuple[int, int]:
    """k and n for pieces of ``piece_s`` seconds: a third as many spare blocks as needed ones, two at least."""
    piece_bytes = bitrate_bps * piece_s / 8
    k = max(K_MIN, round(piece_bytes / BLOCK_BYTES), min(SMALL_K, int(piece_bytes / BLOCK_BYTES_MIN)))
    k = min(USUAL_K, k)
    k = min(K_MAX, max(k, -(-int(piece_bytes) // BLOCK_BYTES_MAX)))
    return k, k + max(2, round(k / 3))
