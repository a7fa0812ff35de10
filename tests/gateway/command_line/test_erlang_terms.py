"""Results as Erlang terms (`--formatter erlang`)."""

from __future__ import annotations

import io

import pytest

from warren.gateway.command_line.erlang_terms import atom, binary, rows_of, term
from warren.gateway.command_line.output import print_answer


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "undefined"),
        (True, "true"),
        (False, "false"),
        (-3, "-3"),
        (0.5, "0.5"),
        (1e22, "1.0e+22"),
        (1.5e-7, "1.5e-07"),
        ("orders", '<<"orders">>'),
        ("grün", '<<"grün"/utf8>>'),
        ('a"b\\c', '<<"a\\"b\\\\c">>'),
        ("a\nb\x7f", '<<"a\\x{A}b\\x{7F}">>'),
        ([1, "x", [None]], '[1,<<"x">>,[undefined]]'),
        ({"x-max-length": 5, "a": {"b": 1}}, '[{<<"x-max-length">>,5},{<<"a">>,[{<<"b">>,1}]}]'),
        ({}, "[]"),
    ],
)
def test_terms(value: object, shown: str) -> None:
    assert term(value) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("name", "name"), ("x@1_B", "x@1_B"), ("Name", "'Name'"), ("a b'c", "'a b\\'c'"), ("of", "'of'")],
)
def test_atoms(name: str, shown: str) -> None:
    assert atom(name) == shown


def test_a_table() -> None:
    rows: list[dict[str, object]] = [{"name": "a", "messages": 1}, {"name": "b"}]
    shown = '[[{name,<<"a">>},{messages,1}],\n [{name,<<"b">>},{messages,undefined}]]'
    assert rows_of(["name", "messages"], rows) == shown
    assert rows_of(["name"], []) == "[]"
    out = io.StringIO()
    print_answer({"ok": True, "columns": ["name"], "rows": rows[:1]}, "erlang", out, headers=True, silent=False)
    print_answer({"ok": True, "value": {"k": [1]}, "text": "one"}, "erlang", out, headers=True, silent=False)
    print_answer({"ok": True, "text": "done"}, "erlang", out, headers=True, silent=False)
    assert out.getvalue() == '[[{name,<<"a">>}]]\n[{<<"k">>,[1]}]\ndone\n'
    assert binary("") == '<<"">>'
