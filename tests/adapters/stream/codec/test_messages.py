"""Publish taken apart: the quick way and the other say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_stream import batch, published, published_v2
from warren.adapters.stream.codec.errors import FrameError
from warren.adapters.stream.codec.messages import (
    ALIKE_PER_PART,
    OTHERS_PER_PART,
    _one_by_one,
    parts_of,
    take_apart,
)

alike = st.integers(0, 300).flatmap(
    lambda count: st.integers(0, 20).map(lambda size: [published(n, bytes([n & 0xFF]) * size) for n in range(count)])
)
mixed = st.lists(
    st.one_of(
        st.builds(published, st.integers(0, 2**64 - 1), st.binary(max_size=20)),
        st.builds(
            batch,
            st.integers(0, 2**64 - 1),
            st.integers(0, 7),
            st.integers(0, 0xFFFF),
            st.integers(0, 2**32 - 1),
            st.binary(max_size=20),
        ),
    ),
    max_size=30,
)


@given(st.one_of(alike, mixed), st.binary(max_size=5), st.binary(max_size=5))
def test_both_ways_say_the_same(messages: list[bytes], before: bytes, behind: bytes) -> None:
    data = before + b"".join(messages) + behind
    at, end, count = len(before), len(data) - len(behind), len(messages)
    quick = take_apart(data, at, end, count, filtered=False)
    slow = _one_by_one(data, at, end, count, filtered=False)
    assert quick.ids == slow.ids == b"".join(message[:8] for message in messages)
    assert quick.entries == slow.entries == [message[8:] for message in messages]
    assert (quick.records, quick.size_bytes, quick.largest) == (slow.records, slow.size_bytes, slow.largest)
    assert (quick.batches, quick.values) == (slow.batches, slow.values)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.binary(max_size=9), st.binary(max_size=9)), max_size=20))
def test_values_for_filters(messages: list[tuple[int, bytes | None, bytes]]) -> None:
    data = b"".join(published_v2(*each) for each in messages)
    found = take_apart(data, 0, len(data), len(messages), filtered=True)
    values = [value for _, value, _ in messages]
    assert found.values == (values if any(value is not None for value in values) else None)
    assert [entry[4:] for entry in found.entries] == [body for _, _, body in messages]


@given(st.binary(max_size=80), st.integers(0, 8), st.booleans())
def test_any_bytes_are_messages_or_none(data: bytes, count: int, filtered: bool) -> None:
    try:
        found = take_apart(data, 0, len(data), count, filtered=filtered)
    except FrameError:
        return
    assert len(found.entries) == count
    assert len(found.ids) == 8 * count


@given(mixed, st.integers(0, 30))
def test_the_first_of_them(messages: list[bytes], count: int) -> None:
    data = b"".join(messages)
    found = take_apart(data, 0, len(data), len(messages), filtered=False).first(count)
    some = messages[:count]
    wanted = take_apart(b"".join(some), 0, len(b"".join(some)), len(some), filtered=False)
    assert (found.ids, found.entries, found.records) == (wanted.ids, wanted.entries, wanted.records)
    assert found.batches == wanted.batches


@pytest.mark.parametrize("cut", range(1, 28))
def test_what_is_cut_off_is_none(cut: int) -> None:
    data = b"".join(published(n, b"x" * 16) for n in range(100))
    with pytest.raises(FrameError):
        take_apart(data, 0, len(data) - cut, 100, filtered=False)


@pytest.mark.parametrize("count", [0, 1, OTHERS_PER_PART, OTHERS_PER_PART + 1, 2 * ALIKE_PER_PART, 20_000])
@pytest.mark.parametrize("kind", ["alike", "others", "valued"])
def test_parts_are_the_whole(count: int, kind: str) -> None:
    filtered = kind == "valued"
    if filtered:
        data = b"".join(published_v2(n, b"v", b"x") for n in range(count))
    else:
        data = b"".join(published(n, b"x" * (n & 1 if kind == "others" else 3)) for n in range(count))
    whole = take_apart(data, 0, len(data), count, filtered=filtered)
    parts = list(parts_of(data, 0, len(data), count, filtered=filtered))
    most = ALIKE_PER_PART if kind == "alike" else OTHERS_PER_PART
    assert [len(part.entries) for part in parts if part.entries] == [
        min(most, count - at) for at in range(0, count, most)
    ]
    assert b"".join(part.ids for part in parts) == whole.ids
    assert [entry for part in parts for entry in part.entries] == whole.entries
    assert [value for part in parts for value in part.values or []] == (whole.values or [])
    assert sum(part.records for part in parts) == whole.records
    assert all(part.commands <= COMMANDS_OF_A_PART for part in parts)


COMMANDS_OF_A_PART = 512
"""About what a connection has in a turn."""
