"""Exchanges."""

from __future__ import annotations

from typing import Final

from warren.core.administration import operations
from warren.core.administration.listing.exchanges import ExchangeRow
from warren.plugins.management import objects
from warren.plugins.management.bodies import ExchangeBody, check_table
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint
from warren.plugins.management.views import STATS, Sampled, View, fields, listed, one, table

EXCHANGES: Final = View(
    "exchanges",
    {
        **fields("name", "vhost", "type", "durable", "auto_delete", "internal"),
        "arguments": table("arguments"),
        **fields("policy", "operator_policy", "effective_policy_definition", "messages_delayed"),
        "message_stats": STATS,
    },
    Sampled(lambda row: row.counts, lambda row: row.message_stats),
)


@endpoint("GET", "/exchanges", "Exchanges of all virtual hosts.", answer=objects.Exchange, lists=True)
async def get_all_exchanges(call: Call) -> Listed:
    return await listed(call, EXCHANGES)


@endpoint("GET", "/exchanges/{vhost}", "Exchanges of a virtual host.", answer=objects.Exchange, lists=True)
async def get_exchanges(call: Call) -> Listed:
    return await listed(call, EXCHANGES)


@endpoint(
    "GET",
    "/exchanges/{vhost}/{exchange}",
    "An exchange; amq.default is the default one.",
    answer=objects.ExchangeDetails,
)
async def get_exchange(call: Call) -> object:
    vhost = operations.vhosts.existing(call.broker, call.vhost)
    found = operations.exchanges.existing(call.broker, call.vhost, call.exchange) if call.exchange else None
    shown = one(call, EXCHANGES, ExchangeRow(vhost, found))
    return shown if "columns" in call.query else {**shown, "incoming": [], "outgoing": []}


@endpoint("PUT", "/exchanges/{vhost}/{exchange}", "Declare an exchange.", body=ExchangeBody)
async def put_exchange(call: Call) -> Created | None:
    body: ExchangeBody = call.body
    _, made = operations.exchanges.declare(
        call.broker,
        call.vhost,
        call.exchange,
        body.type,
        durable=body.durable,
        auto_delete=body.auto_delete,
        internal=body.internal,
        arguments=check_table("arguments", body.arguments),
        user=call.user,
    )
    return Created() if made else None


@endpoint("DELETE", "/exchanges/{vhost}/{exchange}", "Delete an exchange; ?if-unused=true.")
async def delete_exchange(call: Call) -> None:
    unused = call.flag("if-unused")
    operations.exchanges.delete(call.broker, call.vhost, call.exchange, if_unused=unused, user=call.user)
