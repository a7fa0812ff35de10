"""All words that Warren brings, in the order of the help, known to both the client and the broker.

The words, their arguments and the lines that announce them are rabbitmqctl's (spec F.8), so that scripts and habits
carry over.  A module of words that isn't named here isn't found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from warren.gateway.control.word import Syntax, Word, words_of
from warren.gateway.control.words import (
    application,
    browse,
    connections,
    definitions,
    delayed,
    diagnostics,
    explain,
    limits,
    listings,
    mosquitto,
    mqtt,
    parameters,
    permissions,
    plugins,
    policies,
    quarantine,
    queues,
    resources,
    status,
    tail,
    top,
    users,
    vhosts,
)

WORDS: Mapping[str, Word] = {
    each.name: each
    for module in (
        listings,
        users,
        permissions,
        vhosts,
        queues,
        browse,
        tail,
        explain,
        delayed,
        mqtt,
        quarantine,
        connections,
        status,
        diagnostics,
        top,
        resources,
        application,
        policies,
        parameters,
        limits,
        definitions,
        mosquitto,
        plugins,
    )
    for each in words_of(module)
}
"""Every word by its name, in the order of the help."""

Known = TypeVar("Known", bound=Syntax)


def find_word(name: str, others: Iterable[Known] = ()) -> Word | Known:
    """The word of this name, built in or among `others`; ValueError suggests near ones."""
    if name in WORDS:
        return WORDS[name]
    by_name = {each.name: each for each in others}
    if name in by_name:
        return by_name[name]
    import difflib

    near = difflib.get_close_matches(name.replace("-", "_").lower(), [*WORDS, *by_name], n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(near)}?" if near else "warren ctl --help lists them all"
    raise ValueError(f"unknown command '{name}'; {advice}")
