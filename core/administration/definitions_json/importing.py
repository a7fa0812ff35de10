"""Reading definitions into a broker: all of a file, or nothing of it."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, NamedTuple

from warren.core.administration.definitions_json.planning import Planner, scratch_broker
from warren.core.administration.definitions_json.reading import read_document
from warren.core.errors import BrokerError, PreconditionFailed
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.core.broker import Broker

_log = logging.getLogger("warren.definitions")


class Imported(NamedTuple):
    """What an import did.

    counts: how many users, queues... were added or replaced, by section.  warnings: what of the file was left out.
    """

    counts: dict[str, int]
    warnings: list[str]


def import_definitions(broker: Broker, data: bytes | str, *, vhost: str | None = None) -> Imported:
    """Import a definitions file as exported by RabbitMQ or Warren; a second time changes nothing more.

    data: what the file holds.  vhost: import what belongs to virtual hosts into this one, and nothing else.
    In a cluster it is agreed on row by row, and Unanswered is raised until it is; one that can't be to its end (NATS is
    away) may be asked for again.
    Raises PreconditionFailed, having changed nothing, when the file can't be read or anything in it can't be imported.
    """
    try:
        document = read_document(data)
        if vhost is not None:
            broker.vhost(vhost)
        plan = Planner(broker, scratch_broker(broker), document, vhost).plan()
    except BrokerError as error:
        raise limited(PreconditionFailed(f"nothing was imported: {error.text}"), error.limit) from error
    agreements = broker.agreements
    if agreements is None or agreements.applying:
        plan.carry_out(broker)
        return Imported(plan.counts(), plan.warnings)
    from warren.core.administration.definitions_json.sharing import carry_out_shared

    intent = "import", hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest(), vhost
    counts = carry_out_shared(broker, agreements, plan, intent)
    return Imported(counts, plan.warnings)


def report(imported: Imported) -> list[str]:
    """What an import did, in lines for people."""
    counts = ", ".join(f"{section.replace('_', ' ')}: {count}" for section, count in imported.counts.items())
    return [f"Imported {counts or 'nothing that was not there'}", *(f"Warning: {text}" for text in imported.warnings)]


def log_import(imported: Imported, source: str) -> None:
    """Write it to the log."""
    _log.info("definitions from %s: %s", source, report(imported)[0].lower())
    for text in imported.warnings:
        _log.warning("definitions from %s: %s", source, text)
