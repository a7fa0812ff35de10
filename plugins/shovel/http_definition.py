"""What a shovel's ends over HTTP are to do: their keys, and what these mean (docs/shovel.md, "HTTP")."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, Final

from warren.adapters.http.client.uri import HttpUri, parse_http_uri
from warren.adapters.peers.uri import TLS_PARAMETERS
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen
from warren.plugins.bridging import values

FIELDS: Final = ("{topic}", "{routing_key}", "{exchange}", "{message_id}")
"""What stands in a destination's path or query for something of each message's own."""

EVENT: Final = "{event}"
"""What stands in a source's routing key for the type of a server-sent event."""

TIMEOUT_DEFAULT_S: Final = 30.0
POLL_INTERVAL_DEFAULT_S: Final = 60.0
CONCURRENCY_MAX: Final = 64
BATCH_MAX: Final = 1000

POLL: Final = "poll"
EVENTS: Final = "events"
WHOLE: Final = "whole"
JSON_LINES: Final = "json-lines"
JSON_ARRAY: Final = "json-array"

OWN_HEADERS: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"}
    | {"transfer-encoding", "upgrade"}
)
"""Headers that say how a request is sent, which is the shovel's affair (RFC 9110 7.6.1)."""

_fields = re.compile(r"\{[^{}]*\}")
_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_value = re.compile(r"[\t\x20-\x7e]*")


@frozen
class HttpEndDefinition:
    """What both ends have.  uris: with TLS and timeout as the keys say.  headers: that every request has.

    token: of a bearer, None for none.  timeout_s: how long an answer may take; for a stream of events, how long it may
    be silent, None for ever.
    """

    uris: tuple[HttpUri, ...]
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)
    timeout_s: float | None = TIMEOUT_DEFAULT_S


@frozen
class HttpSourceDefinition(HttpEndDefinition):
    """Where messages come from over HTTP.

    mode: POLL, every `interval_s` seconds, or EVENTS, a stream of server-sent ones.  items: WHOLE, JSON_LINES or
    JSON_ARRAY: whether an answer is one message or several.  routing_key: that messages have, with EVENT in it.
    """

    mode: str = POLL
    interval_s: float = POLL_INTERVAL_DEFAULT_S
    items: str = WHOLE
    routing_key: str = EVENT


@frozen
class HttpDestinationDefinition(HttpEndDefinition):
    """Where messages go over HTTP; the URIs may have FIELDS in path and query.

    concurrency: requests at a time.  batch_max: messages in a request, whose body then is as `batch_format` says.
    """

    method: str = "POST"
    concurrency: int = 1
    batch_max: int = 1
    batch_format: str = JSON_LINES


def http_source(given: Mapping[str, Any]) -> HttpSourceDefinition:
    """The source that these keys are; PreconditionFailed (406) for what doesn't go together."""
    mode = given.get("src-mode", POLL)
    for key in ("src-poll-interval", "src-items") if mode == EVENTS else ():
        if key in given:
            raise PreconditionFailed(f"'{key}' is for the 'src-mode' 'poll'")
    uris = _uris(given, "src")
    if any(_fields.search(uri.target) for uri in uris):
        raise PreconditionFailed("'src-uri' has braces in its path or query: write them as %7B and %7D")
    return HttpSourceDefinition(
        uris,
        given.get("src-headers", ()),
        given.get("src-bearer-token"),
        given.get("src-timeout", None if mode == EVENTS else TIMEOUT_DEFAULT_S),
        mode,
        given.get("src-poll-interval", POLL_INTERVAL_DEFAULT_S),
        given.get("src-items", WHOLE),
        given.get("src-routing-key", EVENT),
    )


def http_destination(given: Mapping[str, Any]) -> HttpDestinationDefinition:
    """The destination that these keys are; PreconditionFailed (406) for what doesn't go together."""
    uris = _uris(given, "dest")
    for uri in uris:
        unknown = next((each for each in _fields.findall(uri.target) if each not in FIELDS), None)
        if unknown is not None:
            raise PreconditionFailed(f"'dest-uri' has '{unknown}' in it: there are {', '.join(FIELDS)}")
    batch_max = given.get("dest-batch-max", 1)
    if batch_max == 1 and "dest-batch-format" in given:
        raise PreconditionFailed("'dest-batch-format' is for requests of several messages: 'dest-batch-max' above 1")
    if batch_max > 1 and any("{" in uri.target for uri in uris):
        raise PreconditionFailed(
            "'dest-uri' has fields in it, of which several messages in a request have no one value"
        )
    return HttpDestinationDefinition(
        uris,
        given.get("dest-headers", ()),
        given.get("dest-bearer-token"),
        given.get("dest-timeout", TIMEOUT_DEFAULT_S),
        given.get("dest-method", "POST"),
        given.get("dest-concurrency", 1),
        batch_max,
        given.get("dest-batch-format", JSON_LINES),
    )


def _uris(given: Mapping[str, Any], end: str) -> tuple[HttpUri, ...]:
    if f"{end}-uri" not in given:
        raise PreconditionFailed(f"the key '{end}-uri' is missing")
    uris: tuple[HttpUri, ...] = given[f"{end}-uri"]
    tls: Mapping[str, Any] | None = given.get(f"{end}-tls")
    if tls is not None and any(uri.tls is None for uri in uris):
        raise PreconditionFailed(f"'{end}-tls' is for https://, and '{end}-uri' has http://")
    if f"{end}-bearer-token" in given and any(uri.user is not None for uri in uris):
        raise PreconditionFailed(f"'{end}-bearer-token' and a user in '{end}-uri' are two logins: leave one out")
    if any(name.lower() == "authorization" for name, _ in given.get(f"{end}-headers", ())) and (
        f"{end}-bearer-token" in given or any(uri.user is not None for uri in uris)
    ):
        raise PreconditionFailed(f"'{end}-headers' has Authorization beside another login: leave one out")
    changes: dict[str, Any] = {}
    if f"{end}-connection-timeout" in given:
        changes["connection_timeout_ms"] = int(given[f"{end}-connection-timeout"] * 1000)
    found = tuple(replace(uri, **changes) for uri in uris)
    return found if tls is None else tuple(replace(uri, tls=replace(uri.tls, **tls)) for uri in found if uri.tls)


# Values


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError('must be an object of headers, such as {"X-Site": "7"}')
    found = []
    for name, each in value.items():
        if (
            not _token.fullmatch(name)
            or not isinstance(each, str)
            or not _value.fullmatch(each)
            or each != each.strip()
        ):
            raise ValueError(f"has the header '{name}', whose name must be a token, and its value a text of ASCII")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"can't have the header '{name}', which the shovel sets itself")
        found.append((name, each))
    return tuple(found)


def _token_text(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ValueError("must be a text without blanks")
    return value


def _tls(value: object) -> Mapping[str, Any]:
    """Reads what other protocols' URIs have as parameters."""
    if not isinstance(value, dict):
        raise ValueError('must be an object such as {"cacertfile": "/etc/ca.pem"}')
    found = {}
    for name, each in value.items():
        parameter = TLS_PARAMETERS.get(name)
        if parameter is None:
            raise ValueError(f"has the unknown member '{name}': there are {', '.join(TLS_PARAMETERS)}")
        if not isinstance(each, str):
            raise ValueError(f"has '{name}' that isn't a text")
        try:
            found[parameter[0]] = parameter[1](each)
        except ValueError as error:
            raise ValueError(f"has '{name}' that {error}") from None
    return found


def _seconds(least: float, most: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"must be a number of seconds from {least:g} to {most:g}")
        return float(value)

    return read


def _common(end: str) -> values.Readers:
    return {
        f"{end}-uri": values.uris(parse_http_uri),
        f"{end}-headers": _headers,
        f"{end}-bearer-token": _token_text,
        f"{end}-tls": _tls,
        f"{end}-timeout": _seconds(0.1, 3600),
        f"{end}-connection-timeout": _seconds(0.1, 3600),
    }


HTTP_SOURCE: Final[values.Readers] = {
    **_common("src"),
    "src-mode": values.one_of(POLL, EVENTS),
    "src-poll-interval": values.seconds,
    "src-items": values.one_of(WHOLE, JSON_LINES, JSON_ARRAY),
    "src-routing-key": values.text,
}

HTTP_DESTINATION: Final[values.Readers] = {
    **_common("dest"),
    "dest-method": values.one_of("POST", "PUT"),
    "dest-concurrency": values.count(1, CONCURRENCY_MAX),
    "dest-batch-max": values.count(1, BATCH_MAX),
    "dest-batch-format": values.one_of(JSON_LINES, JSON_ARRAY),
}
