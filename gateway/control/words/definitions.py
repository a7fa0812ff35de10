"""The commands of the control socket that write and read definitions; the files are the client's business."""

from __future__ import annotations

from warren.core.administration.definitions_json.exporting import export_definitions, export_vhost
from warren.core.administration.definitions_json.importing import import_definitions, log_import, report
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, Handler, RefusedError, Request, existing_vhost
from warren.gateway.version import WARREN_VERSION

PRODUCT = "Warren"


def _export(control: Control, request: Request) -> Answer:
    _check_format(request)
    rabbitmq_version = control.config.product_version
    if request.options.get("vhost"):
        found = export_vhost(
            existing_vhost(control, request.vhost),
            product_name=PRODUCT,
            product_version=WARREN_VERSION,
            rabbitmq_version=rabbitmq_version,
        )
    else:
        found = export_definitions(
            control.server.broker,
            product_name=PRODUCT,
            product_version=WARREN_VERSION,
            rabbitmq_version=rabbitmq_version,
        )
    return {"ok": True, "value": found, "text": ""}


def _import(control: Control, request: Request) -> Answer:
    _check_format(request)
    if request.content is None:
        raise RefusedError("the definitions are missing from the request", codes.USAGE)
    vhost = existing_vhost(control, request.vhost).name if request.options.get("vhost") else None
    imported = import_definitions(control.server.broker, request.content, vhost=vhost)
    log_import(imported, "the command line")
    return {"ok": True, "value": imported._asdict(), "text": "\n".join(report(imported))}


def _check_format(request: Request) -> None:
    wanted = str(request.options.get("format") or "json")
    if wanted != "json":
        raise RefusedError(f"definitions are written and read as json, not as '{wanted}'", codes.USAGE)


HANDLERS: dict[str, Handler] = {"export_definitions": _export, "import_definitions": _import}
"""By word."""
