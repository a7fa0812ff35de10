"""Definitions, out and in (spec F.5)."""

from __future__ import annotations

from warren.core.administration import operations
from warren.gateway.plugin import answered, in_turns
from warren.plugins.management import objects
from warren.plugins.management.access import Needs
from warren.plugins.management.endpoint import Call, endpoint
from warren.plugins.management.forms import file_of_form
from warren.plugins.management.node import PRODUCT


async def _export(call: Call, vhost: str | None) -> object:
    steps = operations.definitions.export(
        call.broker,
        vhost,
        product_name=PRODUCT,
        product_version=call.node.warren_version,
        rabbitmq_version=call.node.rabbitmq_version,
    )
    await call.place.turn()
    return await in_turns(steps)


async def _import(call: Call, vhost: str | None) -> None:
    document = file_of_form(call.body, call.headers.get("content-type", ""))
    steps = operations.definitions.check_import(call.broker, document, vhost, source="the management API")
    checked = await in_turns(steps)
    await answered(checked.carry_out, call.context.changed)


@endpoint(
    "GET",
    "/definitions",
    "Everything but messages.",
    needs=Needs.ADMINISTRATOR,
    answer=objects.Definitions,
)
async def get_definitions(call: Call) -> object:
    return await _export(call, None)


@endpoint("GET", "/all-configuration", "The same.", needs=Needs.ADMINISTRATOR, answer=objects.Definitions)
async def get_all_configuration(call: Call) -> object:
    return await _export(call, None)


@endpoint(
    "POST",
    "/definitions",
    "Import definitions, as JSON or as a form with a file: all or nothing.",
    needs=Needs.ADMINISTRATOR,
    body=bytes,
    large=True,
)
async def post_definitions(call: Call) -> None:
    await _import(call, None)


@endpoint("POST", "/all-configuration", "The same.", needs=Needs.ADMINISTRATOR, body=bytes, large=True)
async def post_all_configuration(call: Call) -> None:
    await _import(call, None)


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
    await _import(call, call.vhost)
