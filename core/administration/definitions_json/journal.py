"""The note in the definitions that an import is under way, by which a start behind a crash carries it to its end.

The document is kept in parts, as what is put in one turn should be little, and the row that says how many there are is
the last: without it nothing was begun.  Importing a document once more adds what is missing and changes nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, cast

from warren.core.administration.definitions_json.importing import import_definitions, log_import
from warren.core.errors import BrokerError
from warren.core.storage.recovery import IMPORT

if TYPE_CHECKING:
    from warren.core.broker import Broker

_log = logging.getLogger("warren.definitions")

PART_CHARACTERS: Final = 128 * 1024
"""Of a document, written in one turn: a millisecond."""

PART_MARK: Final = "/"
"""Stands in the names of parts, behind the document's own."""


def note(broker: Broker, name: str, text: str, vhost: str | None) -> Iterator[None]:
    """Note that this document is being imported, part by part; what it brings comes behind.

    name: the document's, without `PART_MARK`.  vhost: the one that it is imported into, None for those that it names.
    """
    put = broker.definitions.put
    count = 0
    for at in range(0, len(text), PART_CHARACTERS):
        put(IMPORT, "", f"{name}{PART_MARK}{count}", {"text": text[at : at + PART_CHARACTERS]})
        count += 1
        yield
    put(IMPORT, "", name, {"parts": count, "vhost": vhost})


def forget(broker: Broker, name: str) -> None:
    """It is imported: the note goes with what was made last, its parts in later turns if they are many."""
    broker.definitions.delete(IMPORT, "", name)
    later = broker.definitions.delete_beginning(IMPORT, "", name + PART_MARK)
    if later is not None:
        broker.chores.add(later)


def finish(broker: Broker) -> None:
    """At a start, before anybody is served: import what was being imported when the last run broke off."""
    rows, broker.begun_imports = broker.begun_imports, {}
    for name, row in rows.items():
        if PART_MARK not in name:
            found = [rows.get(f"{name}{PART_MARK}{number}") for number in range(cast("int", row["parts"]))]
            if None in found:
                _log.error("definitions whose import a crash has cut off are damaged: import them again")
                continue
            text = "".join(str(part["text"]) for part in found if part is not None)
            _import(broker, text, cast("str | None", row["vhost"]))
    for name in rows:
        broker.definitions.delete(IMPORT, "", name)
    broker.definitions.commit()


def _import(broker: Broker, text: str, vhost: str | None) -> None:
    if broker.agreements is not None:
        _log.error("definitions whose import a crash has cut off are not the cluster's: import them again")
        return
    try:
        imported = import_definitions(broker, text, vhost=vhost)
    except BrokerError as error:
        _log.error("definitions whose import a crash has cut off can't be imported any more: %s", error.text)
    else:
        log_import(imported, "an import that a crash has cut off")
