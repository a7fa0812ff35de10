"""Hashes that are the same in every process and on every machine, for exchange types that spread messages.

`jump_bucket` is the jump consistent hash of Lamping and Veach ("A Fast, Minimal Memory, Consistent Hash Algorithm",
2014): with one bucket more, a share of 1/n of all keys moves, and all of them to the new bucket.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_MASK: Final = (1 << 64) - 1

_MULTIPLIER: Final = 2862933555777941757
"""Of the 64-bit linear congruential generator that the paper uses."""


def stable_hash(value: str) -> int:
    """64 bits that look random, from a text."""
    digest = blake2b(value.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def jump_bucket(key: int, count: int) -> int:
    """The bucket, from 0 to below `count` (at least 1), of a 64-bit key.  Takes time of the logarithm of `count`."""
    bucket = 0
    following = 0
    while following < count:
        bucket = following
        key = (key * _MULTIPLIER + 1) & _MASK
        following = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket
