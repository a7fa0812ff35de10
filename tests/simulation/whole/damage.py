"""What a flipped bit of a segment may cost: the record that it is in, and nothing else."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.storage.disk.keys import NO_KEY, key_in_segment
from warren.core.storage.disk.records import KIND_MASK, MESSAGE, decode_segment_header
from warren.core.storage.disk.scanner import Scanner

if TYPE_CHECKING:
    from pathlib import Path

NUMBER: Final = re.compile(rb"#(\d+);")
"""What a message's body begins with."""


class Cost(NamedTuple):
    """numbers: of messages that may be lost.  settlements: others may come back."""

    numbers: set[int]
    settlements: bool


def records_of(path: Path) -> list[tuple[int, int, int]]:
    """Of a segment that nothing is wrong with: the kind of each record, and where it begins and ends in the file."""
    content = path.read_bytes()
    try:
        _, base, end = decode_segment_header(content)
    except DamagedRecordError:
        return []
    key = key_in_segment(path, base) or NO_KEY
    descriptor = os.open(path, os.O_RDONLY)
    try:
        scanner = Scanner(descriptor, base, len(content), end, key)
        offset = scanner.start
        found = []
        for kind, *_ in scanner.steps():
            found.append((kind, offset, scanner.end))
            offset = scanner.end
    finally:
        os.close(descriptor)
    return found


def cost_of(content: bytes, records: list[tuple[int, int, int]], at: int) -> Cost:
    """What may be lost by a flipped bit at `at` of a file that was like this."""
    for kind, start, end in records:
        if start <= at < end:
            numbers = {int(each) for each in NUMBER.findall(content[start:end])}
            return Cost(numbers, kind & KIND_MASK != MESSAGE)
    return Cost(set(), False)
