"""A fixed piece of work, of the kind that a broker is made of, that no change of Warren touches.

Interpreters differ between builds, and what a load takes of them differs alike; so loads are compared as parts of this.
"""

from __future__ import annotations

import struct
from collections import deque

ROUNDS = 20_000
_FRAME = struct.pack(">BHIHHQBB", 1, 1, 13, 60, 80, 1, 0, 0xCE)
_KEY = struct.Struct(">HH")


class _Record:
    __slots__ = ("body", "key", "size")

    def __init__(self, key: bytes, body: bytes) -> None:
        self.key = key
        self.body = body
        self.size = len(body)


def calibrate() -> int:
    """Slices looked up, objects made, queued and taken out again; bytes that went through."""
    known = {_FRAME[7:11]: _Record(b"key", b"body")}
    waiting: deque[_Record] = deque()
    data = _FRAME * ROUNDS
    size = len(_FRAME)
    total = 0
    out: list[bytes] = []
    for at in range(0, len(data), size):
        record = known.get(data[at + 7 : at + 11])
        if record is None:
            continue
        waiting.append(_Record(record.key, data[at : at + size]))
        if len(waiting) > 100:
            total += _drain(waiting, out)
    return total + _drain(waiting, out)


def _drain(waiting: deque[_Record], out: list[bytes]) -> int:
    total = 0
    while waiting:
        record = waiting.popleft()
        class_id, _ = _KEY.unpack_from(record.body, 7)
        total += record.size + class_id
        out.append(record.body)
    out.clear()
    return total
