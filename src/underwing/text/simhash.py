"""Near-identical openers: a 64-bit SimHash over token pairs (Charikar, 2002).

Keeps no text: the hash of an opener is 8 bytes, and two openers that share most of their words are a few
bits apart.
"""

from hashlib import blake2b
from itertools import pairwise

import numpy as np

NEAR_BITS = 10
"""Two openers at most this many of 64 bits apart count as the same script."""


def simhash(view: str) -> int:
    """SimHash of a canonical view, 64 bits; 0 for a view of fewer than three tokens (too short to compare)."""
    words = view.split()
    if len(words) < 3:
        return 0
    features = [*words, *(f"{a} {b}" for a, b in pairwise(words))]
    hashes = b"".join(blake2b(f.encode("utf-8", "replace"), digest_size=8).digest() for f in features)
    ones = np.unpackbits(np.frombuffer(hashes, np.uint8).reshape(-1, 8), axis=1).sum(0, np.int64)
    return int.from_bytes(np.packbits(2 * ones > len(features)).tobytes())


def near(one: int, other: int) -> bool:
    """Whether two non-zero SimHashes belong to the same script."""
    return bool(one and other) and (one ^ other).bit_count() <= NEAR_BITS
