"""Definitions, out and in (spec F.5)."""

from __future__ import annotations

from warren.core.administration import operations
from warren.gateway.plugin import in_turns
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.node import PRODUCT


async def _export(call: Call, vhost: str | None) -> object:
    steps = operations.definitions.export(
        call.broker,
        vhost,
        product_name=PRODUCT,
        product_version=call.node.warren_version,
        rabbitmq_version=call.node.rabbitmq_version,
    )
    return await in_turns(steps)


@endpoint(
    "GET",
    "/definitions",
    "Everything but messages.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.Definitions,
)
async def get_definitions(call: Call) -> object:
    return await _export(call, None)


@endpoint(
    "POST", "/definitions", "Import definitions: all or nothing.", needs=Needs.ADMINISTRATOR, body=bytes, large=True
)
async def post_definitions(call: Call) -> None:
    operations.definitions.import_document(call.broker, call.body, None, source="the management API")


@endpoint(
    "GET",
    "/definitions/{vhost}",
    "Queues, exchanges, bindings, policies of a virtual host.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.Definitions,
)
async def get_definitions_of_vhost(call: Call) -> object:
    return await _export(call, call.vhost)


@endpoint(
    "POST",
    "/definitions/{vhost}",
    "Import into a virtual host: all or nothing.",
    needs=Needs.ADMINISTRATOR,
    body=bytes,
    large=True,
)
async def post_definitions_of_vhost(call: Call) -> None:
    operations.definitions.import_document(call.broker, call.body, call.vhost, source="the management API")
