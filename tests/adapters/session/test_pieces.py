"""What isn't whole yet: kept as it comes, joined once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.copied_bytes import Copies
from warren.adapters.session.pieces import Pieces


def test_without_anything_kept_a_read_is_given_back_as_it_is() -> None:
    pieces = Pieces()
    data = b"abc"
    assert pieces.join(data) is data
    assert not pieces


def test_what_is_kept_comes_before_what_follows() -> None:
    pieces = Pieces()
    pieces.keep(b"ab")
    assert len(pieces) == 2
    assert pieces.join(b"c") == b"abc"
    assert not pieces


def test_nothing_is_given_while_too_little_is_there() -> None:
    pieces = Pieces()
    pieces.keep(b"ab", 3)
    assert pieces.join(b"c") is None
    assert pieces.join(b"d") is None
    assert pieces.join(b"") is None
    assert pieces.join(b"ef") == b"abcdef"
    pieces.keep(b"x", 1)
    assert pieces.join(b"y") == b"xy"


def test_what_waits_for_something_else_is_given_at_once() -> None:
    pieces = Pieces()
    pieces.add(b"ab")
    pieces.add(b"cd")
    assert pieces.join(b"") == b"abcd"
    pieces.keep(b"ab", 10)
    pieces.put_before(b"01")
    assert pieces.join(b"") == b"01ab"


def test_added_pieces_count_towards_what_is_missing() -> None:
    pieces = Pieces()
    pieces.keep(b"a", 3)
    pieces.add(b"bc")
    assert pieces.join(b"d") == b"abcd"


def test_nothing_is_left_when_it_is_cleared() -> None:
    pieces = Pieces()
    pieces.keep(b"ab", 10)
    pieces.clear()
    assert not pieces
    assert pieces.join(b"c") == b"c"


@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1), st.integers(0, 50))
def test_whatever_was_given_comes_out_in_order(reads: list[bytes], missing: int) -> None:
    pieces = Pieces()
    pieces.keep(reads[0], missing)
    given_back = b""
    for read in reads[1:]:
        given_back += pieces.join(read) or b""
    pieces.put_before(b"")
    given_back += pieces.join(b"") or b""
    assert given_back == b"".join(reads)


def test_each_byte_is_copied_twice_at_most() -> None:
    pieces, copies = Pieces(), Copies()
    first, *others = copies.pieces(b"x" * 10_000, 10)
    pieces.keep(first, 9990)
    joined = [pieces.join(piece) for piece in others]
    assert joined[-1] == b"x" * 10_000
    assert copies.count <= 20_000
