"""Headers of the broker's own: they go to disk with a message, and no consumer sees them (core.messages.shown).

Core has four (HIDDEN_COPIES, HIDDEN_DEATHS, HIDDEN_QUEUE, HIDDEN_CONTEXT).  A component that keeps more with a message
than its properties have room for declares its own here, once, when it is imported: all of them under one prefix.  They
are taken off whatever clients publish, so that they are the broker's word alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.messages.checks import HIDDEN_CONTEXT, HIDDEN_COPIES, HIDDEN_DEATHS, HIDDEN_PREFIX, HIDDEN_QUEUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.messages.properties import Properties

_internal: Final[dict[str, None]] = {
    HIDDEN_COPIES: None,
    HIDDEN_DEATHS: None,
    HIDDEN_QUEUE: None,
    HIDDEN_CONTEXT: None,
}
"""Their names, in the order of declaring."""

_marks: Final[list[bytes]] = [HIDDEN_PREFIX.encode()]
"""Bytes of which raw properties hold at least one if any of them is there, so that most need no decoding."""


def declare_internal(prefix: str, names: Iterable[str]) -> None:
    """Hide these headers from consumers from now on; doing so again changes nothing.

    prefix: how all of them begin, at least ("x-…-").  Raises ValueError for a name that begins otherwise.
    """
    for name in names:
        if not name.startswith(prefix):
            raise ValueError(f"an internal header of the prefix {prefix!r} can't be {name!r}")
        _internal[name] = None
    mark = prefix.encode()
    if mark not in _marks:
        _marks.append(mark)


def internal_headers() -> list[str]:
    """The names of all that were declared."""
    return list(_internal)


def is_internal(name: str) -> bool:
    """Whether it is one of them."""
    return name in _internal


def without_internal(properties: Properties) -> Properties:
    """The properties as consumers see them, unless they are of the protocol that the headers are for."""
    if not properties.has_headers:
        return properties
    raw = properties.raw
    for mark in _marks:
        if mark in raw:
            break
    else:
        return properties
    headers = properties.headers or {}
    internal = [name for name in _internal if name in headers]
    if not internal:
        return properties
    if len(internal) == len(headers):
        return properties.with_changes(headers=None)
    return properties.with_header_entries({}, internal)
