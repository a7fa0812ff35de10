"""Answers on the control socket: in slices, they are the same line."""

from __future__ import annotations

import pytest

from warren.gateway.control.protocol import ROWS_AT_ONCE, decode, encode, encode_slices


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE, 5 * ROWS_AT_ONCE + 7])
@pytest.mark.parametrize("columns", [["name", "bytes"], []])
def test_tables_in_slices(count: int, columns: list[str]) -> None:
    rows = [{"name": f"{{[q{number}]}}", "bytes": b"\xff"} for number in range(count)]
    answer = {"ok": True, "columns": columns, "rows": rows}
    whole = encode(answer)
    pieces = list(encode_slices(answer))
    assert len(pieces) == 1 or count > ROWS_AT_ONCE
    assert all(piece.count(b"{[q") <= ROWS_AT_ONCE for piece in pieces)
    line = b"".join(pieces)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert decode(line) == decode(whole)


def test_other_answers() -> None:
    for answer in ({"ok": True, "text": "x"}, {"ok": True, "value": {"rows": [1] * 1000}, "text": ""}, {"rows": 5}):
        whole = encode(answer)
        assert b"".join(encode_slices(answer)) == whole


def test_a_table_with_more_in_it() -> None:
    answer = {"ok": True, "rows": [{"a": {}}] * (ROWS_AT_ONCE + 1), "columns": ["{", "}"], "more": {"x": {}}}
    whole = encode(answer)
    assert decode(b"".join(encode_slices(answer))) == decode(whole)


def test_long_lists_anywhere_come_in_slices() -> None:
    """A document with sections, such as definitions."""
    answer = {
        "ok": True,
        "value": {"a": [{"name": f"[q{number}"} for number in range(3 * ROWS_AT_ONCE)], "b": 7, "c": {"d": []}},
        "text": "",
    }
    whole = encode(answer)
    pieces = list(encode_slices(answer))
    assert b"".join(pieces) == whole
    assert all(piece.count(b"[q") <= ROWS_AT_ONCE for piece in pieces)
    assert answer["value"] == {"a": [], "b": 7, "c": {"d": []}}, "used up"
