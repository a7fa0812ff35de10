"""Operations on definitions: everything but messages, as a JSON document (spec F.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.administration.definitions_json import exporting, importing
from warren.core.administration.definitions_json.importing import Imported, report
from warren.core.administration.operations import vhosts

if TYPE_CHECKING:
    from warren.core.administration.steps import Steps
    from warren.core.broker import Broker
    from warren.core.storage.definitions.store import JSON

__all__ = ["Imported", "export", "import_document", "report"]


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
