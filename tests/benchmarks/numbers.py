"""Writing and checking consecutive 64-bit numbers in a buffer of equal records, without looping over them.

Byte k of number n changes every 256**k numbers.  All byte-k's of the records of a buffer form a strided
slice, which Python copies and compares at memory speed, so numbering or checking a thousand records costs
microseconds.  Tables hold the two lowest bytes of 2**16 consecutive numbers; the six higher bytes are the
same for all records unless the buffer crosses a multiple of 2**16, where they are done in two parts.
"""

from __future__ import annotations

from tests.benchmarks.wire import NUMBER

RECORDS_MAX = 1 << 15
"""Most records in one buffer: tables are this much longer than their period."""

_PERIOD = 1 << 16
_LOWEST = bytes(range(256)) * ((_PERIOD + RECORDS_MAX) // 256)
_SECOND = b"".join(bytes((high,)) * 256 for high in range(256)) + b"".join(
    bytes((high,)) * 256 for high in range(RECORDS_MAX // 256)
)


def write_numbers(buffer: bytearray, at: int, record_size: int, count: int, first: int) -> None:
    """Write first, first+1, … at offset `at` of each of the first `count` records."""
    end = count * record_size
    phase = first % _PERIOD
    buffer[at + 7 : end : record_size] = _LOWEST[phase : phase + count]
    buffer[at + 6 : end : record_size] = _SECOND[phase : phase + count]
    for start, stop, high in _high_parts(count, first):
        for byte_at, value in enumerate(high, at):
            buffer[start * record_size + byte_at : stop * record_size : record_size] = bytes((value,)) * (stop - start)


def numbers_match(buffer: bytearray, at: int, record_size: int, count: int, first: int) -> bool:
    """Whether the first `count` records hold first, first+1, … at offset `at`."""
    end = count * record_size
    phase = first % _PERIOD
    if buffer[at + 7 : end : record_size] != _LOWEST[phase : phase + count]:
        return False
    if buffer[at + 6 : end : record_size] != _SECOND[phase : phase + count]:
        return False
    for start, _, high in _high_parts(count, first):
        first_of_part = start * record_size + at
        if buffer[first_of_part : first_of_part + 6] != high:
            return False
    last = (count - 1) * record_size + at
    return buffer[last : last + 8] == NUMBER.pack(first + count - 1)


def _high_parts(count: int, first: int) -> list[tuple[int, int, bytes]]:
    """(first record, record after the last, six high bytes) of each part of equal high bytes."""
    split = min(_PERIOD - first % _PERIOD, count)
    parts = [(0, split, NUMBER.pack(first)[:6])]
    if split < count:
        parts.append((split, count, NUMBER.pack(first + split)[:6]))
    return parts
