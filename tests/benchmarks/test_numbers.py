"""Numbering by slices against numbering one by one, at every boundary where bytes carry."""

from __future__ import annotations

import pytest

from tests.benchmarks.numbers import numbers_match, write_numbers
from tests.benchmarks.wire import NUMBER

RECORD_SIZE = 11
AT = 2

FIRSTS = [0, 1, 250, 65_500, 65_536, 131_000, (1 << 24) - 30, (1 << 32) - 30, (1 << 40) + 5]


def one_by_one(count: int, first: int) -> bytearray:
    return bytearray(b"".join(b"ab" + NUMBER.pack(first + index) + b"c" for index in range(count)))


@pytest.mark.parametrize("first", FIRSTS)
@pytest.mark.parametrize("count", [1, 2, 60, 700])
def test_numbers_are_written_as_one_by_one(count: int, first: int) -> None:
    buffer = bytearray(b"ab" + b"\xff" * 8 + b"c") * count
    write_numbers(buffer, AT, RECORD_SIZE, count, first)
    assert buffer == one_by_one(count, first)


@pytest.mark.parametrize("first", FIRSTS)
def test_consecutive_numbers_match(first: int) -> None:
    assert numbers_match(one_by_one(700, first), AT, RECORD_SIZE, 700, first)


@pytest.mark.parametrize("first", FIRSTS)
@pytest.mark.parametrize("altered", [0, 1, 349, 698, 699])
@pytest.mark.parametrize("offset", [1, -1, 256])
def test_one_other_number_does_not_match(first: int, altered: int, offset: int) -> None:
    buffer = one_by_one(700, first)
    NUMBER.pack_into(buffer, altered * RECORD_SIZE + AT, (first + altered + offset) % (1 << 64))
    assert not numbers_match(buffer, AT, RECORD_SIZE, 700, first)


def test_other_start_does_not_match() -> None:
    assert not numbers_match(one_by_one(10, 1 << 16), AT, RECORD_SIZE, 10, 0)
