"""The commands of the control socket on virtual hosts, queues and connections."""

from __future__ import annotations

from warren.core.administration.listing.connections import ConnectionRow
from warren.core.declaring.queues import remove_queue
from warren.core.queues.base import Queue
from warren.core.routing.vhost import VirtualHost
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import (
    Answer,
    Control,
    Handler,
    RefusedError,
    Request,
    done,
    existing_vhost,
)

DEFAULT_REASON = "CONNECTION_FORCED - closed by an administrator (warren ctl)"
"""What a client reads when no reason was given."""


def _add_vhost(control: Control, request: Request) -> Answer:
    metadata: dict[str, object] = {}
    for option in ("description", "default_queue_type"):
        if request.options.get(option):
            metadata[option] = str(request.options[option])
    if request.options.get("tags"):
        metadata["tags"] = [tag.strip() for tag in str(request.options["tags"]).split(",") if tag.strip()]
    control.server.broker.add_vhost(request.arguments[0], metadata)
    return done()


def _delete_vhost(control: Control, request: Request) -> Answer:
    control.server.broker.delete_vhost(existing_vhost(control, request.arguments[0]).name)
    return done()


def _delete_queue(control: Control, request: Request) -> Answer:
    vhost, queue = _queue(control, request)
    if request.options.get("if_unused") and queue.consumers:
        raise RefusedError(f"{queue.description} is in use: it has {len(queue.consumers)} consumer(s)")
    if request.options.get("if_empty") and queue.ready_count:
        raise RefusedError(f"{queue.description} is not empty: it holds {queue.ready_count} message(s)")
    count = remove_queue(vhost, queue)
    return done(f"Queue was successfully deleted with {count} ready messages")


def _purge_queue(control: Control, request: Request) -> Answer:
    _, queue = _queue(control, request)
    return done(f"{queue.purge()} ready messages were dropped")


def _queue(control: Control, request: Request) -> tuple[VirtualHost, Queue]:
    vhost = existing_vhost(control, request.vhost)
    queue = vhost.queues.get(request.arguments[0])
    if queue is None:
        raise RefusedError(f"no queue '{request.arguments[0]}' in vhost '{vhost.name}'", codes.DATA)
    return vhost, queue


def _close_connection(control: Control, request: Request) -> Answer:
    wanted, *reason = request.arguments

    def match(row: ConnectionRow) -> bool:
        return wanted in (row.pid, row.name)

    if not control.server.close_connections(match, " ".join(reason) or DEFAULT_REASON):
        raise RefusedError(
            f"no connection has the pid or name '{wanted}'; warren ctl list_connections pid name shows them",
            codes.DATA,
        )
    return done()


def _close_all_connections(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.vhost).name if request.options.get("vhost") else None

    def match(row: ConnectionRow) -> bool:
        return vhost is None or row.vhost == vhost

    count = control.server.close_connections(match, " ".join(request.arguments) or DEFAULT_REASON)
    return done(f"Closed {count} connections")


HANDLERS: dict[str, Handler] = {
    "add_vhost": _add_vhost,
    "delete_vhost": _delete_vhost,
    "delete_queue": _delete_queue,
    "purge_queue": _purge_queue,
    "close_connection": _close_connection,
    "close_all_connections": _close_all_connections,
}
"""By word."""
