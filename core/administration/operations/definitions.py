"""Operations on definitions: everything but messages, as a JSON document (spec F.5)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from warren.core.administration.definitions_json import exporting, importing
from warren.core.administration.definitions_json.importing import Imported, report
from warren.core.administration.operations import vhosts

if TYPE_CHECKING:
    from warren.core.administration.definitions_json.in_turns import Import
    from warren.core.administration.steps import Steps
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

__all__ = ["Imported", "check_import", "export", "import_document", "is_imported", "remember", "report"]

HASH_PARAMETER: Final = "internal_imported_definitions_hash"
"""A global parameter, which is never exported: what was imported last, by a start or by `import_definitions`."""


def is_imported(broker: Broker, document: bytes | str, vhost: str | None) -> bool:
    """Whether this document is what was imported last that is remembered."""
    return broker.parameters.get_global(HASH_PARAMETER) == _hash(document, vhost)


def remember(broker: Broker, document: bytes | str, vhost: str | None) -> None:
    """It has been imported."""
    broker.parameters.set_global(HASH_PARAMETER, _hash(document, vhost))


def hash_of(documents: Iterable[bytes]) -> str:
    """Of several, by what they hold and not what they are called."""
    found = sha256()
    for each in documents:
        found.update(sha256(each).digest())
    return found.hexdigest()


def _hash(document: bytes | str, vhost: str | None) -> str:
    content = document.encode() if isinstance(document, str) else document
    return hash_of([content]) if vhost is None else hash_of([content, vhost.encode()])


def export(
    broker: Broker, vhost: str | None, *, product_name: str, product_version: str, rabbitmq_version: str
) -> Steps[dict[str, JSON]]:
    """The definitions of the whole broker, or of one virtual host, without its name; NotFound when there is none."""
    if vhost is None:
        return exporting.export_definitions(
            broker,
            product_name=product_name,
            product_version=product_version,
            rabbitmq_version=rabbitmq_version,
        )
    return exporting.export_vhost(
        vhosts.existing(broker, vhost),
        product_name=product_name,
        product_version=product_version,
        rabbitmq_version=rabbitmq_version,
    )


def import_document(broker: Broker, document: bytes | str, vhost: str | None, *, source: str) -> Imported:
    """Import a document, all of it or nothing; into one virtual host, if one is named.

    source: where it came from, for the log.  Raises NotFound for an unknown virtual host, PreconditionFailed for a
    document that can't be imported.
    """
    if vhost is not None:
        vhosts.existing(broker, vhost)
    imported = importing.import_definitions(broker, document, vhost=vhost)
    importing.log_import(imported, source)
    return imported


def check_import(broker: Broker, document: bytes | str, vhost: str | None, *, source: str) -> Steps[Import]:
    """The same bit by bit: what the steps come to does it, while the broker goes on (definitions_json/in_turns.py).

    Raises NotFound; the steps raise PreconditionFailed.
    """
    from warren.core.administration.definitions_json import in_turns

    if vhost is not None:
        vhosts.existing(broker, vhost)
    return in_turns.check(broker, document, vhost=vhost, source=source)
