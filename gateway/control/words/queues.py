"""Words that change queues."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import Answer, Control, RefusedError, Request, done
from warren.gateway.control.word import VHOST, Option, word

if TYPE_CHECKING:
    from warren.core.administration.operations.moving import Moved

COUNT: Final = Option("count", "NUMBER")

_COUNT_DIGITS_MAX: Final = 12
"""More digits are no number of messages, and int() needn't see them."""


@word(
    "QUEUE",
    "delete a queue",
    "Deleting queue '{0}' on vhost '{vhost}' ...",
    options=(VHOST, Option("if_empty"), Option("if_unused")),
    example="tasks --if-empty",
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
    example="-p orders tasks",
)
async def purge_queue(control: Control, request: Request) -> Answer:
    """As rabbitmqctl does."""
    from warren.core.administration import operations
    from warren.gateway.network.answered import answered

    purge = partial(operations.queues.purge, control.broker, request.vhost, request.arguments[0])
    count: int = await answered(purge, control.server.changed)
    return done(f"{count} ready messages were dropped")


@word(
    "QUEUE [DESTINATION_QUEUE]",
    "move the messages that wait in a queue to another one, or to where --exchange and --routing-key lead them",
    "Moving messages of queue '{0}' in vhost '{vhost}' ...",
    options=(VHOST, Option("exchange", "EXCHANGE"), Option("routing_key", "KEY"), COUNT),
    example="tasks.failed tasks --count 100",
)
async def move_messages(control: Control, request: Request) -> Answer:
    """Warren's own; a message is never lost by it, and never there twice."""
    from warren.core.administration import operations
    from warren.core.administration.operations.moving import Destination
    from warren.gateway.network.answered import answered

    name, *to = request.arguments
    exchange, key = request.options.get("exchange"), request.options.get("routing_key")
    if bool(to) == (exchange is not None) or (to and key is not None):
        raise RefusedError("name a queue to move to, or an --exchange, with a --routing-key or without", codes.USAGE)
    if to:
        destination = Destination(queue=to[0])
    else:
        exchange_name = "" if exchange == "amq.default" else str(exchange)
        destination = Destination(exchange=exchange_name, routing_key=None if key is None else str(key))
    move = partial(operations.moving.move, control.broker, request.vhost, name, destination, count=_count(request))
    moved: Moved = await answered(move, control.server.changed)
    if moved.stopped:
        raise RefusedError(f"{moved.message_count} messages were moved; then: {moved.stopped}", codes.SOFTWARE)
    return done(f"{moved.message_count} messages were moved")


def _count(request: Request) -> int | None:
    given = request.options.get(COUNT.name)
    if given is None:
        return None
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS_MAX and int(text)):
        raise RefusedError(f"'{text}' is no number of messages from 1 on", codes.USAGE)
    return int(text)
