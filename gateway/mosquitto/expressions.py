"""Topic filters as the regular expressions that topic permissions have: on routing keys, with dots for slashes.

A word's wildcard doesn't take in the wildcards of others, so that whoever may read `a/+` can't subscribe to `a/#`.  A
wildcard at the beginning leaves out what begins with `$` (MQTT 5, 4.7.2).  What is compared is the routing key of a
message, or the binding key of a subscription.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from warren.adapters.mqtt.sessions.topics import key_of

NOTHING: Final = "^$"
"""Matches the empty routing key alone, which no topic has."""

_ONE_WORD: Final = "[^.#]*"
_FIRST_WORD: Final = "(?:[^.#$][^.#]*)?"
_ALL: Final = "(?:[^$].*)?"
_REST: Final = r"(?:\..*)?"

_VARIABLES: Final = {"%u": "{username}", "%c": "{client_id}"}
"""Mosquitto's for the user name and the client id, and what they are called in permissions here."""

_variable = re.compile("(%u|%c)")


def expression_of(filters: Iterable[str], patterns: Iterable[str] = ()) -> str:
    """What matches the keys of the filters, and of the patterns, in which %u and %c are variables."""
    found = [_of_filter(each, variables=False) for each in filters]
    found += [_of_filter(each, variables=True) for each in patterns]
    return f"^(?:{'|'.join(dict.fromkeys(found))})$" if found else NOTHING


def whole(name: str) -> str:
    """What matches the name of one exchange or queue."""
    # Slashes and the like stand for themselves; only what means something in an expression is escaped.
    return "^" + "".join("\\" + char if char in r".^$*+?{}[]\|()" else char for char in name) + "$"


def _of_filter(filter: str, *, variables: bool) -> str:
    words = filter.split("/")
    found = ""
    for number, word in enumerate(words):
        if word == "#":
            return found + (_REST if number else _ALL)
        if number:
            found += r"\."
        if word == "+":
            found += _ONE_WORD if number else _FIRST_WORD
        else:
            found += _of_word(word, variables=variables)
    return found


def _of_word(word: str, *, variables: bool) -> str:
    parts = _variable.split(word) if variables else [word]
    return "".join(_VARIABLES[part] if number % 2 else re.escape(key_of(part)) for number, part in enumerate(parts))
