"""Words that write and read definitions; the files are the client's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done, value
from warren.gateway.control.word import VHOST, Option, word
from warren.gateway.version import WARREN_VERSION

if TYPE_CHECKING:
    from warren.core.administration.definitions_json.importing import Imported

PRODUCT: Final = "Warren"

FORMAT: Final = Option("format", "json")

SKIP: Final = Option("skip_if_unchanged")


@word(
    "FILE",
    "write users, virtual hosts, queues... as JSON; -p: of one virtual host; -: to standard output",
    'Exporting definitions in JSON to a file at "{0}" ...',
    options=(VHOST, FORMAT),
    writes_file=True,
    example="definitions.json",
)
async def export_definitions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.adapters.session.keys import PRODUCT_VERSION
    from warren.core.administration import operations
    from warren.gateway.turns import in_turns

    _check_format(request)
    steps = operations.definitions.export(
        control.broker,
        request.vhost if request.options.get("vhost") else None,
        product_name=PRODUCT,
        product_version=WARREN_VERSION,
        rabbitmq_version=control.config.value(PRODUCT_VERSION),
    )
    document = await in_turns(steps)
    return value(document, "")


@word(
    "[FILE]",
    "read such a file, also RabbitMQ's: all of it or nothing; without FILE, or -, from standard input",
    "Importing definitions in JSON ...",
    options=(VHOST, FORMAT, SKIP),
    reads_file=True,
    example="definitions.json --skip-if-unchanged",
)
async def import_definitions(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations
    from warren.gateway.network.answered import answered
    from warren.gateway.turns import in_turns

    _check_format(request)
    if request.content is None:
        raise RefusedError("the definitions are missing from the request", codes.USAGE)
    vhost = request.vhost if request.options.get("vhost") else None
    if request.options.get(SKIP.name) and operations.definitions.is_imported(control.broker, request.content, vhost):
        return done("These definitions are what was imported last; they are left as they are")
    steps = operations.definitions.check_import(control.broker, request.content, vhost, source="the command line")
    checked = await in_turns(steps)
    imported: Imported = await answered(checked.carry_out, control.server.changed)
    operations.definitions.remember(control.broker, request.content, vhost)
    return value(imported._asdict(), "\n".join(operations.definitions.report(imported)))


def _check_format(request: Request) -> None:
    wanted = str(request.options.get(FORMAT.name) or "json")
    if wanted != "json":
        raise RefusedError(f"definitions are written and read as json, not as '{wanted}'", codes.USAGE)
