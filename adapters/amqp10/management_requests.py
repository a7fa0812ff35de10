"""The requests of management.py, done by what does the same for AMQP 0-9-1 (core.declaring).

    PUT, GET, DELETE /queues/:queue          DELETE /queues/:queue/messages
    PUT, DELETE /exchanges/:exchange
    POST /bindings                           GET /bindings?src=&dstq=&key= (or dste=)
    DELETE /bindings/src=:source;dstq=:queue;key=:key;args=:hash
    PUT /auth/tokens

Names are percent-encoded.  Answers are as RabbitMQ's: 200, 201, 204; 400, 403, 404, 405 and 409 with a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote

from warren.adapters.amqp10.addresses import encoded
from warren.adapters.amqp10.codec.encoding import encode
from warren.adapters.amqp10.codec.values import Array, ULong, Value
from warren.adapters.amqp10.management import Encoded
from warren.adapters.amqp10.reading import field_of
from warren.adapters.amqp10.writing import value_of
from warren.core.clients.limits import NODE
from warren.core.declaring import bindings, exchanges, queues
from warren.core.errors import (
    AccessRefused,
    BrokerError,
    ClusterAway,
    NotFound,
    PreconditionFailed,
    ResourceLocked,
)
from warren.core.messages.field_table import decode_table, encode_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.management import Request
    from warren.core.clients.client import Client
    from warren.core.exchanges.base import Exchange
    from warren.core.exchanges.binding import Binding, DestinationKind
    from warren.core.messages.field_table import FieldTable
    from warren.core.queues.base import Queue

    Answer: TypeAlias = Callable[[int, Value | Encoded], None]
    """Takes status and body."""

OK: Final = 200
CREATED: Final = 201
NO_CONTENT: Final = 204
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
MISSING: Final = 404
METHOD_NOT_ALLOWED: Final = 405
CONFLICT: Final = 409
TOO_MUCH: Final = 503

BINDINGS_MAX: Final = 10_000
"""Of an exchange that are looked through for one request."""


BINDINGS_PER_SLICE: Final = 200
"""Of those that are found, so many are shown in one turn, some 20 µs each."""

BINDING_WORK: Final = 10
"""What showing one takes, if an acknowledgement is 1."""


class _BadRequest(Exception):
    """What is asked for can't be understood."""


def answer_request(session: AmqpSession, request: Request, answer: Answer) -> None:
    """Do what is asked for, and answer; what is wrong is an answer, too.  Unanswered: see core.access.answers."""
    try:
        _route(session, request, answer)
    except _BadRequest as malformed:
        answer(BAD_REQUEST, str(malformed))
    except BrokerError as error:
        answer(_status(error), error.text)


def _status(error: BrokerError) -> int:
    if isinstance(error, NotFound):
        return MISSING
    if isinstance(error, AccessRefused):
        return FORBIDDEN
    if isinstance(error, PreconditionFailed | ResourceLocked):
        return CONFLICT
    if isinstance(error, ClusterAway):
        return TOO_MUCH
    return BAD_REQUEST


def _route(session: AmqpSession, request: Request, answer: Answer) -> None:
    client = session.client
    path, _, query = request.path.partition("?")
    parts = path.split("/")[1:]
    names = [unquote(part) for part in parts]
    method = request.method
    match parts:
        case ["queues", _]:
            _queue(client, method, names[1], request.body, answer)
        case ["queues", _, "messages"] if method == "DELETE":
            _purge(client, names[1], answer)
        case ["exchanges", _]:
            _exchange(client, method, names[1], request.body, answer)
        case ["bindings"] if method == "POST":
            _bind(client, _map(request.body), answer)
        case ["bindings"] if method == "GET":
            _list_bindings(session, query, answer)
        case ["bindings", segment] if method == "DELETE":
            _unbind(client, segment, answer)
        case ["auth", "tokens"] if method == "PUT":
            _renew(client, request.body, answer)
        case _:
            answer(MISSING if parts[:1] not in (["queues"], ["exchanges"], ["bindings"]) else METHOD_NOT_ALLOWED, None)


# Queues


def _queue(client: Client, method: str, name: str, body: Value, answer: Answer) -> None:
    if method == "PUT":
        _declare_queue(client, name, _map(body or {}), answer)
    elif method == "GET":
        answer(OK, _shown(client, queues.check_queue(client, name)))
    elif method == "DELETE":
        if name not in client.vhost.queues:
            client.check("queue", name, "configure")
        queues.delete_queue(client, name, _counted(answer))
    else:
        answer(METHOD_NOT_ALLOWED, None)


def _declare_queue(client: Client, name: str, body: Mapping[Value, Value], answer: Answer) -> None:
    arguments, raw = _arguments(body)
    vhost = client.vhost
    is_new = name not in vhost.queues or vhost.broker.has_just_made("queue", vhost.name, name)
    queue = queues.declare_queue(
        client,
        name,
        durable=_flag(body, "durable", default=True),
        exclusive=_flag(body, "exclusive"),
        auto_delete=_flag(body, "auto_delete"),
        arguments=arguments,
        arguments_raw=raw,
    )

    def ready(found: BrokerError | None) -> None:
        if isinstance(found, BrokerError):
            answer(_status(found), found.text)
        else:
            answer(CREATED if is_new else OK, _shown(client, queue))

    queue.when_ready(ready)


def _shown(client: Client, queue: Queue) -> Value:
    return {
        "name": queue.name,
        "vhost": client.vhost.name,
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "exclusive": queue.owner is not None,
        "type": queue.type_name,
        "arguments": {name: value_of(value) for name, value in queue.arguments.items()},
        "leader": NODE,
        "replicas": Array([NODE], 0xA1),
        "message_count": ULong(queue.ready_count),
        "consumer_count": ULong(queue.consumer_count),
    }


def _purge(client: Client, name: str, answer: Answer) -> None:
    queues.purge_queue(client, name, _counted(answer))


def _counted(answer: Answer) -> Callable[[int | BrokerError], None]:
    def counted(found: int | BrokerError) -> None:
        if isinstance(found, BrokerError):
            answer(_status(found), found.text)
        else:
            answer(OK, {"message_count": ULong(found)})

    return counted


# Exchanges


def _exchange(client: Client, method: str, name: str, body: Value, answer: Answer) -> None:
    if method == "PUT":
        fields = _map(body or {})
        arguments, raw = _arguments(fields)
        kind = fields.get("type", "direct")
        exchanges.declare_exchange(
            client,
            name,
            str(kind),
            durable=_flag(fields, "durable", default=True),
            auto_delete=_flag(fields, "auto_delete"),
            internal=_flag(fields, "internal"),
            arguments=arguments,
            arguments_raw=raw,
        )
    elif method == "DELETE":
        exchanges.delete_exchange(client, name)
    else:
        answer(METHOD_NOT_ALLOWED, None)
        return
    answer(NO_CONTENT, None)


# Bindings


def _bind(client: Client, body: Mapping[Value, Value], answer: Answer) -> None:
    arguments, raw = _arguments(body)
    kind, destination = _destination(body.get("destination_queue"), body.get("destination_exchange"))
    bindings.bind(client, kind, destination, _text(body, "source"), _text(body, "binding_key"), arguments or {}, raw)
    answer(NO_CONTENT, None)


def _destination(queue: Value, exchange: Value) -> tuple[DestinationKind, str]:
    if isinstance(queue, str) and exchange is None:
        return "queue", queue
    if isinstance(exchange, str) and queue is None:
        return "exchange", exchange
    raise _BadRequest("a binding has either a destination queue or a destination exchange")


def _list_bindings(session: AmqpSession, query: str, answer: Answer) -> None:
    asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    kind, name = _destination(asked.get("dstq"), asked.get("dste"))
    if "src" not in asked:
        raise _BadRequest("bindings are asked for by source and destination, `src` and `dstq` or `dste`")
    found = _between(session.client, asked["src"], kind, name, asked.get("key"))
    settling = session.connection.settling
    if settling.may(BINDING_WORK * len(found)):
        answer(OK, [_shown_binding(each) for each in found])
    else:
        settling.begin(_show_in_slices(found, answer))


def _show_in_slices(found: list[Binding], answer: Answer) -> Iterator[None]:
    shown = Encoded()
    for at in range(0, len(found), BINDINGS_PER_SLICE):
        shown.values += [encode(_shown_binding(each)) for each in found[at : at + BINDINGS_PER_SLICE]]
        yield
    answer(OK, shown)


def _between(client: Client, source: str, kind: DestinationKind, name: str, key: str | None = None) -> list[Binding]:
    """The bindings from an exchange to a destination, with this key if one is given."""
    exchange: Exchange | None = client.vhost.exchanges.get(source)
    if exchange is None:
        return []
    exchanges.check_exchange(client, source)
    if len(exchange.bindings) > BINDINGS_MAX:
        raise _BadRequest(f"the exchange has {len(exchange.bindings)} bindings, more than can be looked through here")
    if client.ration is not None and len(exchange.bindings) > BINDINGS_PER_SLICE:
        client.ration.use_up()
    return [
        each
        for each in exchange.bindings
        if each.target.kind == kind and each.target.name == name and (key is None or each.routing_key == key)
    ]


def _shown_binding(binding: Binding) -> Value:
    destination = "destination_queue" if binding.target.kind == "queue" else "destination_exchange"
    return {
        "source": binding.source,
        destination: binding.target.name,
        "binding_key": binding.routing_key,
        "arguments": {name: value_of(value) for name, value in binding.arguments.items()},
        "location": "/bindings/" + _segment(binding),
    }


def _segment(binding: Binding) -> str:
    """How a path names a binding; its arguments by a hash, empty where it has none."""
    destination = "dstq" if binding.target.kind == "queue" else "dste"
    hashed = _hash(binding) if binding.arguments else ""
    return (
        f"src={encoded(binding.source)};{destination}={encoded(binding.target.name)};"
        f"key={encoded(binding.routing_key)};args={hashed}"
    )


def _hash(binding: Binding) -> str:
    return binding.properties_key.rpartition("~")[2]


def _unbind(client: Client, segment: str, answer: Answer) -> None:
    fields = dict(part.partition("=")[::2] for part in segment.split(";"))
    named = {name: unquote(value) for name, value in fields.items()}
    kind, name = _destination(named.get("dstq"), named.get("dste"))
    for binding in _between(client, named.get("src", ""), kind, name, named.get("key", "")):
        if _segment(binding) == segment:
            emptied = bindings.unbind(client, kind, name, binding.source, binding.routing_key, binding.arguments)
            exchanges.remove_emptied(client.vhost, emptied)
    answer(NO_CONTENT, None)


# Others


def _renew(client: Client, body: Value, answer: Answer) -> None:
    if not isinstance(body, bytes | str):
        raise _BadRequest("a token is the body, as bytes")
    client.renew(body if isinstance(body, str) else body.decode("utf-8", "surrogateescape"))
    answer(NO_CONTENT, None)


def _map(body: Value) -> Mapping[Value, Value]:
    if not isinstance(body, dict):
        raise _BadRequest("the body has to be a map")
    return body


def _flag(body: Mapping[Value, Value], name: str, *, default: bool = False) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise _BadRequest(f"{name} has to be a boolean")
    return value


def _text(body: Mapping[Value, Value], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise _BadRequest(f"{name} has to be a string")
    return value


def _arguments(body: Mapping[Value, Value]) -> tuple[FieldTable, bytes]:
    value = body.get("arguments", {})
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise _BadRequest("arguments have to be a map whose keys are strings")
    try:
        raw = encode_table({str(name): field_of(each) for name, each in value.items()})
    except ValueError as error:
        raise _BadRequest(str(error)) from None
    return decode_table(raw, 0)[0], raw
