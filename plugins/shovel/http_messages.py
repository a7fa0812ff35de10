"""How a message's address and properties are HTTP's, on its way to a service (docs/shovel.md, "HTTP").

Content type and encoding are HTTP's own.  Other properties, the exchange and the routing key are headers that begin
with `Amqp-`; headers of applications keep their names, unless they would say how the request is sent, or who sends it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from warren.adapters.session.field_text import text_of
from warren.plugins.shovel.http_definition import OWN_HEADERS
from warren.plugins.shovel.mqtt_ends import topic_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from warren.adapters.http.client.uri import HttpUri
    from warren.core.messages.properties import Properties
    from warren.plugins.bridging.ends import Arrived
    from warren.plugins.shovel.http_definition import HttpEndDefinition

BINARY: Final = "application/octet-stream"

PROPERTY_HEADERS: Final = {
    "message_id": "Amqp-Message-Id",
    "correlation_id": "Amqp-Correlation-Id",
    "type": "Amqp-Type",
    "timestamp": "Amqp-Timestamp",
    "priority": "Amqp-Priority",
    "delivery_mode": "Amqp-Delivery-Mode",
    "expiration": "Amqp-Expiration",
    "reply_to": "Amqp-Reply-To",
    "app_id": "Amqp-App-Id",
    "user_id": "Amqp-User-Id",
}

MEANS_SOMETHING_ELSE: Final = OWN_HEADERS | {
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "proxy-authorization",
    "user-agent",
}
"""Headers of a message that would be taken for the shovel's own, and don't go along: nobody who writes a message is to
log in by that, or to end a request."""

USER_AGENT: Final = "Warren"

_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_fields = re.compile(r"\{(topic|routing_key|exchange|message_id)\}")
_PRINTABLE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class NotSendable(Exception):
    """A message can't be sent to this service; the text says why."""


def request_headers(definition: HttpEndDefinition, uri: HttpUri) -> list[tuple[str, str]]:
    """What every request says: who asks whom, and what the definition has."""
    headers = [("Host", uri.authority), ("User-Agent", USER_AGENT)]
    if definition.token is not None:
        headers.append(("Authorization", f"Bearer {definition.token}"))
    elif uri.user is not None:
        login = f"{uri.user}:{uri.password or ''}".encode()
        headers.append(("Authorization", "Basic " + b64encode(login).decode()))
    own = {name.lower() for name, _ in definition.headers}
    return [*(each for each in headers if each[0].lower() not in own), *definition.headers]


def target_of(uri: HttpUri, message: Arrived, exchange: str, routing_key: str, properties: Properties) -> str:
    """Path and query for a message; NotSendable where it would lead elsewhere."""
    if "{" not in uri.target:
        return uri.target

    def own(found: re.Match[str]) -> str:
        field = found[1]
        if field == "topic":
            return "/".join(_segment(each) for each in topic_of(message, routing_key).split("/"))
        text = {"routing_key": routing_key, "exchange": exchange}.get(field, properties.message_id or "")
        return _segment(text)

    return _fields.sub(own, uri.target)


def message_headers(
    exchange: str, routing_key: str, properties: Properties, own: Collection[str]
) -> Iterator[tuple[str, str]]:
    """What a message's request says of it.  own: names, in small letters, that every request has already."""
    if "content-type" not in own:
        yield "Content-Type", _text(properties.content_type or BINARY)
    if properties.content_encoding and "content-encoding" not in own:
        yield "Content-Encoding", _text(properties.content_encoding)
    if exchange:
        yield "Amqp-Exchange", _text(exchange)
    if routing_key:
        yield "Amqp-Routing-Key", _text(routing_key)
    for name, header in PROPERTY_HEADERS.items():
        value = getattr(properties, name)
        if value is not None:
            yield header, _text(str(value))
    for name, entry in (properties.headers or {}).items():
        small = name.lower()
        if small in MEANS_SOMETHING_ELSE or small in own or small.startswith("amqp-") or not _name.fullmatch(name):
            continue
        yield name, _text(text_of(entry))


def _text(value: str) -> str:
    """A header's value: as it is, if it is printable ASCII; else percent-encoded UTF-8 (RFC 9110 5.5)."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    encoded = quote(value.encode("utf-8", "surrogateescape"), safe=_PRINTABLE)
    return encoded if encoded == encoded.strip() else encoded.replace(" ", "%20")


def _segment(text: str) -> str:
    if text in (".", ".."):
        raise NotSendable(f"a message's '{text}' in 'dest-uri' would lead to another path")
    return quote(text.encode("utf-8", "surrogateescape"), safe="")
