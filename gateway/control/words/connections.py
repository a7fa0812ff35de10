"""Words that close connections."""

from __future__ import annotations

from typing import Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import VHOST, word

DEFAULT_REASON: Final = "CONNECTION_FORCED - closed by an administrator (warren ctl)"
"""What a client reads when no reason was given."""


@word("PID_OR_NAME [REASON]...", "close one connection (320 CONNECTION_FORCED)", "Closing connection {0} ...")
def close_connection(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations
    from warren.core.errors import NotFound

    wanted, *reason = request.arguments
    try:
        operations.connections.close(control.broker, wanted, " ".join(reason) or DEFAULT_REASON)
    except NotFound as error:
        raise RefusedError(f"{error.text}; warren ctl list_connections pid name shows them", codes.DATA) from None
    return done()


@word(
    "[REASON]...",
    "close every connection, or those to a virtual host",
    "Closing connections ...",
    options=(VHOST,),
)
def close_all_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    vhost = request.vhost if request.options.get("vhost") else None
    reason = " ".join(request.arguments) or DEFAULT_REASON
    return done(f"Closed {operations.connections.close_all(control.broker, reason, vhost=vhost)} connections")


@word(
    "USERNAME [REASON]...",
    "close every connection of a user",
    "Closing connections of user {0} ...",
)
def close_all_user_connections(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations

    user, *words = request.arguments
    reason = " ".join(words) or DEFAULT_REASON
    return done(f"Closed {operations.connections.close_all(control.broker, reason, user=user)} connections")
