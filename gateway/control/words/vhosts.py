"""The commands of the control socket that change what a virtual host is like: its metadata and tracing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.core.routing.vhost_metadata import DEFAULT_QUEUE_TYPE, DESCRIPTION, TAGS
from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, Handler, RefusedError, Request, done, existing_vhost

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON


def _update_vhost_metadata(control: Control, request: Request) -> Answer:
    vhost = existing_vhost(control, request.arguments[0]).name
    options: Mapping[str, object] = request.options
    metadata: dict[str, JSON] = {
        key: str(options[key]) for key in (DESCRIPTION, TAGS, DEFAULT_QUEUE_TYPE) if key in options
    }
    if not metadata:
        raise RefusedError("give --description, --tags or --default-queue-type", codes.USAGE)
    control.server.broker.update_vhost(vhost, metadata)
    return done()


def _tracing(tracing: bool) -> Handler:
    def answer(control: Control, request: Request) -> Answer:
        vhost = existing_vhost(control, request.vhost).name
        control.server.broker.set_tracing(vhost, tracing)
        return done(f"Trace {'enabled' if tracing else 'disabled'} for vhost {vhost}")

    return answer


HANDLERS: dict[str, Handler] = {
    "update_vhost_metadata": _update_vhost_metadata,
    "trace_on": _tracing(True),
    "trace_off": _tracing(False),
}
"""By word."""
