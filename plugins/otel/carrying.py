"""Where a message carries its trace context, by the protocol that it was published with.

    AMQP 0-9-1, STOMP    the headers `traceparent` and `tracestate`
    MQTT 5               user properties of these names (W3C Trace Context: MQTT protocol), which the broker keeps as
                         headers and, for MQTT 5, as the bytes that came
    AMQP 1.0             message annotations, or else application properties (W3C Trace Context: AMQP protocol); the
                         broker has the latter as headers, and writes the former alone, as the bare message is
                         nobody's to change

So a context that came by one protocol is there for consumers of all others (docs/conversions.md).  Baggage is a header
like any other, which nothing here looks at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import encode, map_of
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.mqtt.codec.publish import read_publish_properties, write_publish_properties
from warren.adapters.mqtt.sessions.headers import RAW_PROPERTIES
from warren.core.messages.checks import HIDDEN_CONTEXT
from warren.plugins.otel.context import TRACEPARENT, TRACESTATE, TraceContext, parsed

if TYPE_CHECKING:
    from warren.adapters.mqtt.codec.properties import Properties as MqttProperties
    from warren.core.messages.field_table import Encodable, FieldTable
    from warren.core.messages.properties import Properties

_PARENT_MARK: Final = TRACEPARENT.encode()
_OWN_MARK: Final = HIDDEN_CONTEXT.encode()
"""What stands in the bytes of properties that have the field, so that most needn't be decoded."""

_FIELDS: Final = (TRACEPARENT, TRACESTATE)


def published_context(properties: Properties) -> TraceContext | None:
    """What the publisher has set, if it is one."""
    if not properties.has_headers or _PARENT_MARK not in properties.raw:
        return None
    headers = properties.headers or {}
    noted = _annotations(headers)
    if TRACEPARENT in noted:
        return parsed(noted[TRACEPARENT], noted.get(TRACESTATE, ""))
    return parsed(_text(headers.get(TRACEPARENT)), _text(headers.get(TRACESTATE)))


def own_context(properties: Properties) -> TraceContext | None:
    """The span of the message's publish, which the broker has noted with it; None for a message that isn't traced."""
    if not properties.has_headers or _OWN_MARK not in properties.raw:
        return None
    headers = properties.headers or {}
    return parsed(_text(headers.get(HIDDEN_CONTEXT)), _text(headers.get(TRACESTATE)))


def noting(properties: Properties, own: TraceContext) -> Properties:
    """The properties with the span of the publish, which no consumer sees."""
    return properties.with_header_entries({HIDDEN_CONTEXT: own.traceparent})


def carrying(properties: Properties, context: TraceContext) -> Properties:
    """The properties by which consumers of every protocol get this context; its tracestate is the message's."""
    headers = properties.headers or {}
    entries: dict[str, Encodable] = {TRACEPARENT: context.traceparent}
    if context.state and TRACESTATE not in headers:
        entries[TRACESTATE] = context.state
    raw = headers.get(RAW_PROPERTIES)
    if isinstance(raw, bytes):
        entries[RAW_PROPERTIES] = _with_user_properties(raw, context)
    if kept.BARE in headers:
        entries[kept.ANNOTATIONS] = _with_annotations(headers.get(kept.ANNOTATIONS), context)
    return properties.with_header_entries(entries)


def shared(properties: Properties, context: TraceContext) -> Properties:
    """The properties with the publisher's own context as headers, where AMQP 1.0 has it as annotations alone."""
    headers = properties.headers or {}
    if TRACEPARENT in headers or not _annotations(headers):
        return properties
    entries = {TRACEPARENT: context.traceparent} | ({TRACESTATE: context.state} if context.state else {})
    return properties.with_header_entries(entries)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return value if isinstance(value, str) else ""


def _annotations(headers: FieldTable) -> dict[str, str]:
    """The trace context among a message's annotations."""
    raw = headers.get(kept.ANNOTATIONS)
    if not isinstance(raw, bytes) or _PARENT_MARK not in raw:
        return {}
    try:
        found = decode(raw)[0]
    except Undecodable:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: _text(found[name]) for name in _FIELDS if isinstance(found.get(name), str)}


def _with_annotations(raw: object, context: TraceContext) -> bytes:
    found = decode(raw)[0] if isinstance(raw, bytes) else {}
    entries = {encode(key): encode(value) for key, value in found.items()} if isinstance(found, dict) else {}
    entries[encode(Symbol(TRACEPARENT))] = encode(context.traceparent)
    if context.state:
        entries[encode(Symbol(TRACESTATE))] = encode(context.state)
    return map_of([each for pair in entries.items() for each in pair])


def _with_user_properties(raw: bytes, context: TraceContext) -> bytes:
    mqtt = dict(read_publish_properties(raw))
    others = cast("list[tuple[str, str]]", mqtt.get("user_properties", []))
    names = {TRACEPARENT, TRACESTATE} if context.state else {TRACEPARENT}
    written = [(TRACEPARENT, context.traceparent)] + ([(TRACESTATE, context.state)] if context.state else [])
    mqtt["user_properties"] = [*(each for each in others if each[0] not in names), *written]
    return write_publish_properties(cast("MqttProperties", mqtt))
