"""Results as Erlang terms, for scripts that have rabbitmqctl print them (`--formatter erlang`).

A row is a list of pairs, `[{name,<<"orders">>},{messages,3}]`; texts are binaries, what is nothing is `undefined`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_PLAIN_ATOM: Final = re.compile(r"[a-z][a-zA-Z0-9_@]*\Z")

_RESERVED: Final = frozenset(
    {
        *("after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond"),
        *("div", "end", "fun", "if", "let", "maybe", "not", "of", "or", "orelse", "receive", "rem", "try", "when"),
        "xor",
    }
)
"""Words that are no atoms without quotes."""

_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\ud800-\udfff]')


def rows_of(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """A table."""
    found = ["[" + ",".join(f"{{{atom(name)},{term(row.get(name))}}}" for name in columns) + "]" for row in rows]
    return "[" + ",\n ".join(found) + "]"


def term(value: object) -> str:
    """Whatever JSON can hold."""
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        mantissa, exponent, power = text.partition("e")
        return text if "." in mantissa else f"{mantissa}.0{exponent}{power}"
    if isinstance(value, Mapping):
        return "[" + ",".join(f"{{{binary(str(name))},{term(each)}}}" for name, each in value.items()) + "]"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(term, value)) + "]"
    return binary(str(value))


def binary(text: str) -> str:
    """A text, whose characters beyond ASCII are marked as UTF-8."""
    escaped = _ESCAPED.sub(_escape, text)
    return f'<<"{escaped}">>' if text.isascii() else f'<<"{escaped}"/utf8>>'


def atom(name: str) -> str:
    """A name of a column."""
    if _PLAIN_ATOM.match(name) and name not in _RESERVED:
        return name
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return "\\" + character if character in '"\\' else f"\\x{{{ord(character):X}}}"
