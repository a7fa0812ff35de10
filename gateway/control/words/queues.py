"""Words that change queues."""

from __future__ import annotations

from functools import partial

from warren.gateway.control.target import Answer, Control, Request, done
from warren.gateway.control.word import VHOST, Option, word


@word(
    "QUEUE",
    "delete a queue",
    "Deleting queue '{0}' on vhost '{vhost}' ...",
    options=(VHOST, Option("if_empty"), Option("if_unused")),
)
async def delete_queue(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations
    from warren.gateway.network.answered import answered

    delete = partial(
        operations.queues.delete,
        control.broker,
        request.vhost,
        request.arguments[0],
        if_unused=bool(request.options.get("if_unused")),
        if_empty=bool(request.options.get("if_empty")),
    )
    count: int = await answered(delete, control.server.changed)
    return done(f"Queue was successfully deleted with {count} ready messages")


@word(
    "QUEUE",
    "drop the messages of a queue that wait for a consumer",
    "Purging queue '{0}' in vhost '{vhost}' ...",
    options=(VHOST,),
)
async def purge_queue(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations
    from warren.gateway.network.answered import answered

    purge = partial(operations.queues.purge, control.broker, request.vhost, request.arguments[0])
    count: int = await answered(purge, control.server.changed)
    return done(f"{count} ready messages were dropped")
