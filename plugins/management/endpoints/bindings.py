"""Bindings, from both ends and by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_plus

from warren.core.administration import operations
from warren.core.administration.listing.bindings import BindingRow, DefaultBindingRow
from warren.core.administration.listing.selecting import equals
from warren.core.errors import NotFound
from warren.plugins.management import objects
from warren.plugins.management.bodies import BindingBody, check_table
from warren.plugins.management.endpoint import Call, Created, Listed, endpoint, exchange_name
from warren.plugins.management.views import View, fields, listed, one, table

if TYPE_CHECKING:
    from warren.core.exchanges.binding import DestinationKind

BINDINGS: Final = View(
    "bindings",
    {
        **fields("source", "vhost", "destination", "destination_type", "routing_key"),
        "arguments": table("arguments"),
        **fields("properties_key"),
    },
)

TO_QUEUE: Final = "/bindings/{vhost}/e/{source}/q/{destination}"
TO_EXCHANGE: Final = "/bindings/{vhost}/e/{source}/e/{destination}"


@endpoint("GET", "/bindings", "Bindings of all virtual hosts.", answer=objects.Binding, lists=True)
async def get_all_bindings(call: Call) -> Listed:
    return await listed(call, BINDINGS)


@endpoint("GET", "/bindings/{vhost}", "Bindings of a virtual host.", answer=objects.Binding, lists=True)
async def get_bindings(call: Call) -> Listed:
    return await listed(call, BINDINGS)


@endpoint("GET", "/queues/{vhost}/{queue}/bindings", "Bindings to a queue.", answer=objects.Binding, lists=True)
async def get_bindings_of_queue(call: Call) -> Listed:
    queue = operations.queues.existing(call.broker, call.vhost, call.path["queue"])
    return await listed(call, BINDINGS, equals("destination", queue.name), equals("destination_type", "queue"))


@endpoint(
    "GET",
    "/exchanges/{vhost}/{exchange}/bindings/source",
    "Bindings from an exchange.",
    answer=objects.Binding,
    lists=True,
)
async def get_bindings_from_exchange(call: Call) -> Listed:
    _check_exchange(call)
    return await listed(call, BINDINGS, equals("source", call.exchange))


@endpoint(
    "GET",
    "/exchanges/{vhost}/{exchange}/bindings/destination",
    "Bindings to an exchange.",
    answer=objects.Binding,
    lists=True,
)
async def get_bindings_to_exchange(call: Call) -> Listed:
    _check_exchange(call)
    return await listed(call, BINDINGS, equals("destination", call.exchange), equals("destination_type", "exchange"))


@endpoint("GET", TO_QUEUE, "Bindings from an exchange to a queue.", answer=objects.Binding, lists=True)
async def get_bindings_to_queue(call: Call) -> Listed:
    return _between(call, "queue")


@endpoint("GET", TO_EXCHANGE, "Bindings from an exchange to an exchange.", answer=objects.Binding, lists=True)
async def get_bindings_between_exchanges(call: Call) -> Listed:
    return _between(call, "exchange")


@endpoint("POST", TO_QUEUE, "Bind a queue.", body=BindingBody)
async def post_binding_to_queue(call: Call) -> Created:
    return _bind(call, "queue")


@endpoint("POST", TO_EXCHANGE, "Bind an exchange.", body=BindingBody)
async def post_binding_between_exchanges(call: Call) -> Created:
    return _bind(call, "exchange")


@endpoint("GET", TO_QUEUE + "/{properties_key}", "A binding to a queue.", answer=objects.Binding)
async def get_binding_to_queue(call: Call) -> object:
    return _one(call, "queue")


@endpoint("GET", TO_EXCHANGE + "/{properties_key}", "A binding to an exchange.", answer=objects.Binding)
async def get_binding_between_exchanges(call: Call) -> object:
    return _one(call, "exchange")


@endpoint("DELETE", TO_QUEUE + "/{properties_key}", "Unbind a queue.")
async def delete_binding_to_queue(call: Call) -> None:
    _unbind(call, "queue")


@endpoint("DELETE", TO_EXCHANGE + "/{properties_key}", "Unbind an exchange.")
async def delete_binding_between_exchanges(call: Call) -> None:
    _unbind(call, "exchange")


def _check_exchange(call: Call) -> None:
    if call.exchange:
        operations.exchanges.existing(call.broker, call.vhost, call.exchange)


def _ends(call: Call, kind: DestinationKind) -> tuple[str, str]:
    destination = call.path["destination"]
    return exchange_name(call.path["source"]), exchange_name(destination) if kind == "exchange" else destination


def _rows(call: Call, kind: DestinationKind) -> list[BindingRow]:
    source, destination = _ends(call, kind)
    vhost = operations.vhosts.existing(call.broker, call.vhost)
    if not source and kind == "queue":
        return [DefaultBindingRow(operations.queues.existing(call.broker, call.vhost, destination))]
    found = operations.bindings.between(call.broker, call.vhost, source, kind, destination)
    exchange = operations.exchanges.existing(call.broker, call.vhost, source)
    return [BindingRow(vhost, exchange, each) for each in found]


def _between(call: Call, kind: DestinationKind) -> Listed:
    return Listed([one(call, BINDINGS, each) for each in _rows(call, kind)])


def _one(call: Call, kind: DestinationKind) -> object:
    return one(call, BINDINGS, _found(call, kind))


def _found(call: Call, kind: DestinationKind) -> BindingRow:
    """The binding that the path means: its key is encoded in itself, and clients encode it once more or don't."""
    wanted = call.path["properties_key"]
    rows = _rows(call, kind)
    for key_of in (lambda row: row.properties_key, lambda row: unquote_plus(row.properties_key)):
        for row in rows:
            if key_of(row) == wanted:
                return row
    raise NotFound(f"no binding '{wanted}' between these two")


def _bind(call: Call, kind: DestinationKind) -> Created:
    body: BindingBody = call.body
    source, destination = _ends(call, kind)
    binding = operations.bindings.add(
        call.broker,
        call.vhost,
        source,
        kind,
        destination,
        body.routing_key,
        check_table("arguments", body.arguments),
        user=call.user,
    )
    return Created(_in_path(binding.properties_key))


def _in_path(key: str) -> str:
    """The key as a part of a path; one of dots alone would be a step upwards (RFC 3986, 5.2.4)."""
    return quote(key, safe="") if key.strip(".") else key.replace(".", "%2E")


def _unbind(call: Call, kind: DestinationKind) -> None:
    source, destination = _ends(call, kind)
    key = _found(call, kind).properties_key
    operations.bindings.remove(call.broker, call.vhost, source, kind, destination, key, user=call.user)
