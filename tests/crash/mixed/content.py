"""The content of messages in a mixed crash test: a key and what follows from it, so that it is known in each protocol.

    PUBLISHER~NUMBER~SIZE|BYTES

There are SIZE bytes, of a pattern that begins at another place for each number.
"""

from __future__ import annotations

import random
from typing import Final

from tests.support.crash_link import body_of

SEPARATOR: Final = b"|"

SMALL_SHARE: Final = 0.9


def content_of(key: str) -> bytes:
    """What a message of this key consists of."""
    return key.encode() + SEPARATOR + body_of(key)


def key_in(content: bytes) -> tuple[str, bool]:
    """The key that a content begins with, and whether all of it is as it was."""
    head, _, _ = content.partition(SEPARATOR)
    key = head.decode(errors="replace")
    try:
        return key, content == content_of(key)
    except ValueError:
        return key, False


def random_size(chance: random.Random) -> int:
    """In bytes, without the key: mostly some hundred, seldom some thousand."""
    return chance.randint(0, 400) if chance.random() < SMALL_SHARE else chance.randint(400, 20_000)
