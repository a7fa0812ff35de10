"""All words that Warren brings, in the order of the help, known to both the client and the broker.

The words, their arguments and the lines that announce them are rabbitmqctl's (spec F.8), so that scripts and habits
carry over.  A module of words that isn't named here isn't found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from warren.gateway.control.word import Syntax, Word, words_of
from warren.gateway.control.words import (
    application,
    browse,
    cluster,
    connections,
    definitions,
    delayed,
    devices,
    diagnostics,
    doctor,
    encryption,
    explain,
    formalities,
    inspecting,
    limits,
    listings,
    log,
    maintenance,
    mosquitto,
    mqtt,
    parameters,
    permissions,
    plugins,
    policies,
    quarantine,
    queues,
    report,
    resources,
    status,
    store,
    streams,
    super_streams,
    tail,
    top,
    users,
    vhosts,
)
from warren.gateway.control.words.not_here import NOT_HERE

WORDS: Mapping[str, Word] = {
    each.name: each
    for module in (
        listings,
        users,
        devices,
        permissions,
        vhosts,
        queues,
        streams,
        super_streams,
        browse,
        tail,
        explain,
        delayed,
        mqtt,
        quarantine,
        connections,
        status,
        report,
        diagnostics,
        doctor,
        inspecting,
        encryption,
        top,
        resources,
        log,
        application,
        maintenance,
        store,
        cluster,
        policies,
        parameters,
        limits,
        definitions,
        mosquitto,
        plugins,
        formalities,
    )
    for each in words_of(module)
}
"""Every word by its name, in the order of the help."""

Known = TypeVar("Known", bound=Syntax)


def find_word(name: str, others: Iterable[Known] = (), commands: Collection[str] = ()) -> Word | Known:
    """The word of this name, built in or among `others`; ValueError suggests near ones.

    commands: what may be meant instead where the word was the first thing that was typed.
    """
    if name in WORDS:
        return WORDS[name]
    by_name = {each.name: each for each in others}
    if name in by_name:
        return by_name[name]
    why = NOT_HERE.get(name)
    if why is not None:
        raise ValueError(f"{name} does nothing here: {why}")
    import difflib

    known = {each.replace("-", "_"): each for each in (*commands, *WORDS, *by_name)}
    found = difflib.get_close_matches(name.replace("-", "_").lower(), known, n=3, cutoff=0.6)
    near = [f"warren {known[each]}" if known[each] in commands else known[each] for each in found]
    advice = f"did you mean {' or '.join(near)}?" if near else "warren ctl --help lists them all"
    raise ValueError(f"unknown command '{name}'; {advice}")
