"""The filter of a chunk: what is in it is always found, what isn't mostly not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.core.streams.bloom import FilterBuilder, may_hold

VALUES = st.sets(st.binary(min_size=1, max_size=20), max_size=40)


def built(values: set[bytes], *, unfiltered: bool = False, size: int = 16) -> bytes:
    builder = FilterBuilder(size)
    for value in values:
        builder.add(value)
    if unfiltered:
        builder.add(None)
    return builder.take()


@given(VALUES, st.booleans(), st.integers(16, 255))
def test_what_is_in_it_is_found(values: set[bytes], unfiltered: bool, size: int) -> None:
    filter_ = built(values, unfiltered=unfiltered, size=size)
    assert all(may_hold(filter_, [value], unfiltered=False) for value in values)
    assert not unfiltered or may_hold(filter_, [], unfiltered=True)


def test_what_is_not_in_it_is_mostly_not_found() -> None:
    filter_ = built({b"value %d" % number for number in range(20)})
    wrong = [number for number in range(1000) if may_hold(filter_, [b"other %d" % number], unfiltered=False)]
    assert 0 < len(wrong) < 200


def test_messages_without_a_value_are_asked_for_by_themselves() -> None:
    assert not may_hold(built({b"a"}), [], unfiltered=True)
    assert may_hold(built({b"a"}, unfiltered=True), [], unfiltered=True)
    assert not may_hold(built({b"a"}, unfiltered=True), [], unfiltered=False)


def test_a_chunk_without_values_has_no_filter_and_only_messages_without() -> None:
    filter_ = built(set(), unfiltered=True)
    assert filter_ == b""
    assert may_hold(filter_, [b"a"], unfiltered=True)
    assert not may_hold(filter_, [b"a"], unfiltered=False)


def test_the_next_chunk_begins_anew() -> None:
    builder = FilterBuilder(16)
    builder.add(b"a")
    builder.take()
    builder.add(b"b")
    filter_ = builder.take()
    assert may_hold(filter_, [b"b"], unfiltered=False)
    assert not may_hold(filter_, [b"a"], unfiltered=False)
