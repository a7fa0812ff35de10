"""Publishing and getting messages, for looking and trying out: each request is a client of its own for its length."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final, cast

from warren.core.administration import operations
from warren.core.administration.definitions_json.field_values import to_json
from warren.core.administration.operations import queues as queue_operations
from warren.gateway.plugin import PublishBlocked, RateExceeded, Refused, Unroutable
from warren.plugins.management import objects
from warren.plugins.management.bodies import GetBody, PublishBody
from warren.plugins.management.endpoint import Call, Listed, endpoint
from warren.plugins.management.errors import TOO_MANY, UNAVAILABLE, ApiError, bad_request
from warren.plugins.management.message_properties import properties_of

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.gateway.plugin import BrokerClient, Delivery

CLIENT_NAME: Final = "management API"

GET_COUNT_MAX: Final = 1000
"""Messages got at a time; who wants more consumes."""

GET_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bodies got at a time: the answer is one array, and is complete before it is sent.  One message may be larger."""

ACK: Final = "ack_requeue_false"
NACK: Final = "ack_requeue_true"
REJECT: Final = "reject_requeue_false"
REJECT_REQUEUE: Final = "reject_requeue_true"
ACK_MODES: Final = (NACK, ACK, REJECT_REQUEUE, REJECT)
"""RabbitMQ's words (spec F.3)."""


@endpoint(
    "POST",
    "/exchanges/{vhost}/{exchange}/publish",
    "Publish a message; whether a queue took it.",
    body=PublishBody,
    large=True,
    answer=objects.Routed,
)
async def publish(call: Call) -> object:
    body: PublishBody = call.body
    payload = payload_of(body.payload, body.payload_encoding)
    properties = properties_of(body.properties)
    if call.exchange:
        operations.exchanges.existing(call.broker, call.vhost, call.exchange)
    async with call.context.connect(call.user, call.vhost, name=CLIENT_NAME) as client:
        try:
            pending = client.publish_nowait(call.exchange, body.routing_key, payload, properties, mandatory=True)
            call.context.changed()
            await pending.wait()
        except Unroutable:
            return {"routed": False}
        except Refused as error:
            raise bad_request(f"rejected: {error}") from None
        except RateExceeded as error:
            raise ApiError(429, TOO_MANY, str(error), {"retry-after": "1"}) from None
        except PublishBlocked as error:
            raise ApiError(503, UNAVAILABLE, f"publishing is blocked: {error}") from None
    return {"routed": True}


@endpoint(
    "POST",
    "/queues/{vhost}/{queue}/get",
    "Get messages, and put them back or not.",
    body=GetBody,
    answer=objects.Got,
    lists=True,
)
async def get_messages(call: Call) -> Listed:
    body: GetBody = call.body
    mode = _mode(body)
    if not 0 <= body.count <= GET_COUNT_MAX:
        raise bad_request(f"count must be a number from 0 to {GET_COUNT_MAX}")
    if body.encoding not in ("auto", "base64"):
        raise bad_request("encoding must be auto or base64")
    if body.truncate is not None and body.truncate < 0:
        raise bad_request("truncate must not be negative")
    queue = queue_operations.existing(call.broker, call.vhost, call.path["queue"])
    await call.place.turn()
    call.place.promised = True
    async with call.context.connect(call.user, call.vhost, name=CLIENT_NAME) as client:
        found = []
        deliveries = await _poll(client, queue.name, body.count)
        for number, each in enumerate(deliveries, 1):
            left = queue.ready_count + len(deliveries) - number
            found.append(_shown(each, body, left))
        for each in deliveries:
            _settle(each, mode)
    return Listed(found)


async def _poll(client: BrokerClient, queue: str, count: int) -> list[Delivery]:
    """The messages at the head of the queue, so many, or as many as there are or may be."""
    found: list[Delivery] = []
    size = 0
    while len(found) < count and size < GET_BYTES_MAX:
        delivery = await client.get(queue)
        if delivery is None:
            break
        size += len(delivery.body)
        found.append(delivery)
    return found


def _settle(delivery: Delivery, mode: str) -> None:
    if mode == ACK:
        delivery.ack()
    elif mode == NACK:
        delivery.nack(requeue=True)
    else:
        delivery.reject(requeue=mode == REJECT_REQUEUE)


def _mode(body: GetBody) -> str:
    """`ackmode`, or what clients of RabbitMQ before 3.7 say instead."""
    if body.ackmode is None and body.requeue is not None:
        return NACK if body.requeue else ACK
    if body.ackmode not in ACK_MODES:
        raise bad_request(f"ackmode must be one of {', '.join(ACK_MODES)}")
    return body.ackmode


def _shown(delivery: Delivery, body: GetBody, left: int) -> dict[str, object]:
    payload = delivery.body if body.truncate is None else delivery.body[: body.truncate]
    text, encoding = payload_text(payload, body.encoding)
    return {
        "payload_bytes": len(delivery.body),
        "redelivered": delivery.redelivered,
        "exchange": delivery.exchange,
        "routing_key": delivery.routing_key,
        "message_count": left,
        "properties": {
            name: to_json(cast("FieldValue", value)) for name, value in delivery.properties.fields().items()
        },
        "payload": text,
        "payload_encoding": encoding,
    }


def payload_text(payload: bytes, encoding: str) -> tuple[str, str]:
    """A body within JSON, and how it is written there: `string` or `base64`."""
    if encoding == "auto":
        try:
            return payload.decode(), "string"
        except UnicodeDecodeError:
            pass
    return base64.b64encode(payload).decode(), "base64"


def payload_of(text: str, encoding: str) -> bytes:
    """What a text within JSON stands for; ApiError for what is none."""
    if encoding == "string":
        return text.encode()
    if encoding != "base64":
        raise bad_request("payload_encoding must be string or base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request("the payload isn't base64") from None
