"""Inputs to begin with, and inputs that once failed: files in `corpus/TARGET/`; and how an input is changed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"

INTERESTING: Final = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\n", b"\r\n", b"\0\0\0\x01")
CHANGES_MAX: Final = 6
BYTES_MAX: Final = 4_096


def inputs_of(target: str) -> list[bytes]:
    """The kept inputs of a target, in the order of their names; one of nothing if there are none."""
    return [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))] or [b""]


def changed(chance: random.Random, kept: list[bytes]) -> bytes:
    """An input made from others: bits flipped, bytes put in, taken out or doubled, parts of another one."""
    data = bytearray(chance.choice(kept))
    for _ in range(chance.randint(1, CHANGES_MAX)):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(6)
        if what == 0 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif what == 1:
            data[at:at] = chance.choice(INTERESTING)
        elif what == 2:
            del data[at : at + chance.randint(1, 8)]
        elif what == 3:
            data[at:at] = data[at : at + chance.randint(1, 64)]
        elif what == 4:
            other = chance.choice(kept)
            start = chance.randrange(len(other) + 1)
            data[at:at] = other[start : start + chance.randint(1, 200)]
        elif data:
            data[at % len(data)] = chance.randrange(256)
    return bytes(data[:BYTES_MAX])
