"""Moving messages from a queue to elsewhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from warren.core.administration import operations
from warren.core.administration.operations.moving import Destination
from warren.gateway.plugin import answered
from warren.plugins.management import objects
from warren.plugins.management.bodies import MoveBody
from warren.plugins.management.endpoint import Call, endpoint, exchange_name
from warren.plugins.management.errors import bad_request

if TYPE_CHECKING:
    from warren.core.administration.operations.moving import Moved


class MovedMessages(objects.Object):
    """message_count: messages that were moved.  stopped: why not all; empty where nothing stopped it."""

    message_count: int
    stopped: str


@endpoint(
    "POST",
    "/queues/{vhost}/{queue}/move",
    "Move ready messages to another queue, or to where an exchange leads them.",
    body=MoveBody,
    answer=MovedMessages,
)
async def move_messages(call: Call) -> object:
    body: MoveBody = call.body
    if body.count is not None and body.count < 1:
        raise bad_request("count must be a number from 1 on")
    move = partial(
        operations.moving.move,
        call.broker,
        call.vhost,
        call.path["queue"],
        _destination(body),
        count=body.count,
        user=call.user,
    )
    moved: Moved = await answered(move, call.context.changed)
    return moved._asdict()


def _destination(body: MoveBody) -> Destination:
    if (body.destination_queue is None) == (body.exchange is None):
        raise bad_request("name a destination_queue or an exchange to move to")
    if body.exchange is not None:
        return Destination(exchange=exchange_name(body.exchange), routing_key=body.routing_key)
    if body.routing_key is not None:
        raise bad_request("routing_key goes with an exchange, not with destination_queue")
    return Destination(queue=body.destination_queue)
