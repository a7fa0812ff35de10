"""Words that change queues."""

from __future__ import annotations

from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import VHOST, Option, word


@word(
    "QUEUE",
    "delete a queue",
    "Deleting queue '{0}' on vhost '{vhost}' ...",
    options=(VHOST, Option("if_empty"), Option("if_unused")),
)
def delete_queue(control: Control, request: Request) -> Answer:
    """rabbitmqctl's."""
    from warren.core.administration import operations

    count = operations.queues.delete(
        control.broker,
        request.vhost,
        request.arguments[0],
        if_unused=bool(request.options.get("if_unused")),
        if_empty=bool(request.options.get("if_empty")),
    )
    return done(f"Queue was successfully deleted with {count} ready messages")


@word(
    "QUEUE",
    "drop the messages of a queue that wait for a consumer",
    "Purging queue '{0}' in vhost '{vhost}' ...",
    options=(VHOST,),
)
def purge_queue(control: Control, request: Request) -> Answer:
    """rabbitmqctl's."""
    from warren.core.administration import operations

    count = operations.queues.purge(control.broker, request.vhost, request.arguments[0])
    return done(f"{count} ready messages were dropped")
