"""The words of interest (interest.py) as they go between nodes: JSON arrays, so that anybody can read along.

Arguments are AMQP field tables and go as base64; names keep the octets that aren't UTF-8 as Python's surrogates do.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from warren.core.cluster.interest import Ask, Beat, Interest, Snapshot, Update

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.cluster.interest import Word


def encode_word(word: Word) -> bytes:
    """As octets."""
    said: list[object]
    if isinstance(word, Update):
        said = ["update", word.node, word.epoch, word.number, _rows(word.added), _rows(word.removed)]
    elif isinstance(word, Beat):
        said = ["beat", word.node, word.epoch, word.number]
    elif isinstance(word, Ask):
        said = ["ask", word.node, word.asked]
    else:
        said = ["all", word.node, word.epoch, word.number, word.part, word.parts, _rows(word.interests)]
    return json.dumps(said, separators=(",", ":")).encode()


def decode_word(data: bytes) -> Word:
    """ValueError for octets that are no word."""
    try:
        kind, node, *rest = json.loads(data)
        _check(str, node)
        if kind == "update":
            epoch, number, added, removed = rest
            _check(int, epoch, number)
            return Update(node, epoch, number, _interests(added), _interests(removed))
        if kind == "beat":
            epoch, number = rest
            _check(int, epoch, number)
            return Beat(node, epoch, number)
        if kind == "ask":
            (asked,) = rest
            _check(str, asked)
            return Ask(node, asked)
        if kind == "all":
            epoch, number, part, parts, interests = rest
            _check(int, epoch, number, part, parts)
            return Snapshot(node, epoch, number, part, parts, _interests(interests))
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(str(error)) from error
    raise ValueError("it begins otherwise than words do")


def _rows(interests: Iterable[Interest]) -> list[list[str]]:
    return [
        [each.vhost, each.exchange, each.key, base64.b64encode(each.arguments).decode()]
        if each.arguments
        else [each.vhost, each.exchange, each.key]
        for each in interests
    ]


def _interests(rows: list[list[str]]) -> frozenset[Interest]:
    found = []
    for row in rows:
        vhost, exchange, key = row[:3]
        _check(str, *row)
        found.append(Interest(vhost, exchange, key, base64.b64decode(row[3], validate=True) if len(row) > 3 else b""))
    return frozenset(found)


def _check(kind: type, *values: Any) -> None:
    for value in values:
        if type(value) is not kind:
            raise ValueError(f"{value!r} isn't of type {kind.__name__}")
