"""Where a message would go, and why."""

from __future__ import annotations

from typing import Final

from warren.adapters.mqtt.sessions.operations.topic_names import address_of
from warren.core.administration import operations
from warren.core.administration.explaining.explanation import Explanation
from warren.gateway.plugin import in_turns
from warren.plugins.management.access import Needs, check_tags
from warren.plugins.management.bodies import ExplainBody
from warren.plugins.management.endpoint import Call, endpoint, exchange_name
from warren.plugins.management.errors import bad_request
from warren.plugins.management.message_properties import properties_of

BODY_BYTES_MAX: Final = 1 << 40
"""A size that is asked about; nobody sends it."""


@endpoint(
    "POST",
    "/explain/{vhost}",
    "Where a message would go, and why: a dry run of a publish. Asking about another user takes the tag administrator.",
    body=ExplainBody,
    answer=Explanation,
)
async def post_explain(call: Call) -> object:
    body: ExplainBody = call.body
    if body.user is not None and body.user != call.user.name:
        check_tags(call.user, Needs.ADMINISTRATOR)
    if not 0 <= body.payload_bytes <= BODY_BYTES_MAX:
        raise bad_request(f"payload_bytes must be a number from 0 to {BODY_BYTES_MAX}")
    exchange, key = exchange_name(body.exchange), body.routing_key
    if body.mqtt_topic is not None:
        if exchange or key:
            raise bad_request("mqtt_topic stands for exchange and routing_key: give one or the other")
        exchange, key = address_of(call.broker, body.mqtt_topic)
    steps = operations.explain.explain(
        call.broker,
        call.vhost,
        exchange,
        key,
        properties_of(body.properties),
        body_size=body.payload_bytes,
        user=call.user if body.user == call.user.name else body.user,
    )
    return await in_turns(steps)
