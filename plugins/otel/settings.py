"""What an operator decides about traces.

What isn't set here is as the variables of OpenTelemetry's specification say (`OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, ...): the library reads them.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from warren.core.frozen import frozen
from warren.gateway.plugin import Key, configured, number, one_of, whole_number

PATH: Final = "/v1/traces"
"""Of the collector's URL, where it names none (OTLP 1, "OTLP/HTTP Request")."""

SAMPLERS: Final = (
    "parentbased_traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "traceidratio",
    "always_on",
    "always_off",
)
"""As OTEL_TRACES_SAMPLER calls them."""

NO_HEADERS: Final[tuple[tuple[str, str], ...]] = ()

KEEP: Final = "keep"
FILL: Final = "fill"
REWRITE: Final = "rewrite"

QUEUE_SPANS: Final = 8192
"""Spans that wait for the collector: some two thousand messages, and a few megabytes."""

QUEUE_SPANS_MAX: Final = 1_000_000

BATCH_SPANS: Final = 512
"""The specification's default (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)."""

BATCH_SPANS_MAX: Final = 8192

DELAY_S: Final = 1.0
"""Between two requests; the specification has five seconds, which is long for somebody who tries something."""

TIMEOUT_S: Final = 10.0
"""The specification's (OTEL_EXPORTER_OTLP_TIMEOUT)."""


def endpoint(value: object) -> str:
    """The URL of a collector; without a path it gets OTLP's.  Empty: as the library finds out."""
    if not isinstance(value, str):
        raise ValueError("a URL such as http://localhost:4318")
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL of http or https, such as http://localhost:4318")
    return value if parts.path not in ("", "/") else f"{parts.scheme}://{parts.netloc}{PATH}"


def headers(value: object) -> tuple[tuple[str, str], ...]:
    """Headers in the form of OTEL_EXPORTER_OTLP_HEADERS: NAME=VALUE, with commas between them, URL-encoded."""
    if not isinstance(value, str):
        raise ValueError("text such as x-api-key=SECRET, several with commas between them")
    found: list[tuple[str, str]] = []
    for each in filter(None, map(str.strip, value.split(","))):
        name, equals, text = each.partition("=")
        if not equals or not name.strip():
            raise ValueError("text such as x-api-key=SECRET, several with commas between them")
        found.append((unquote(name.strip()).lower(), unquote(text.strip())))
    return tuple(found)


def service(value: object) -> str:
    """A name, or nothing."""
    if not isinstance(value, str):
        raise ValueError("a name")
    return value


@frozen
class OtelSettings:
    """Where spans go, and of which messages there are any."""

    endpoint: str = configured(
        Key(
            "otel_endpoint",
            endpoint,
            "",
            "URL of the collector, OTLP over HTTP with protobuf, such as `http://localhost:4318`. Empty: what "
            "`OTEL_EXPORTER_OTLP_ENDPOINT` says, and that URL if it says nothing.",
        )
    )
    headers: tuple[tuple[str, str], ...] = configured(
        Key(
            "otel_headers",
            headers,
            NO_HEADERS,
            "Headers of each request to it, `NAME=VALUE` with commas between them, such as an API key.",
            secret=True,
        )
    )
    service_name: str = configured(
        Key(
            "otel_service_name",
            service,
            "",
            "What the broker is called in traces. Empty: what `OTEL_SERVICE_NAME` says, or else `warren`.",
        )
    )
    sampler: str = configured(
        Key(
            "otel_sampler",
            one_of(SAMPLERS),
            SAMPLERS[0],
            "Which messages are traced, in the words of `OTEL_TRACES_SAMPLER`. `parentbased_…`: of messages that come "
            "with a context, those that their publisher traces; of others, what the rest of the word says.",
        )
    )
    ratio: float = configured(
        Key(
            "otel_ratio",
            number(0, 1),
            1.0,
            "For `…traceidratio`: the part of the traces that is sampled, from 0 to 1.",
        )
    )
    propagation: str = configured(
        Key(
            "otel_propagation",
            one_of((KEEP, FILL, REWRITE)),
            FILL,
            "What consumers get as `traceparent`. `keep`: what the publisher has set, or nothing. `fill`: the same, "
            "and the broker's span where the publisher has set none. `rewrite`: the span of the delivery, so that the "
            "consumer's span is its child.",
        )
    )
    queue_spans: int = configured(
        Key(
            "otel_queue_max",
            whole_number(1, QUEUE_SPANS_MAX, "spans"),
            QUEUE_SPANS,
            "Spans that may wait for the collector; further ones are dropped, and counted.",
        )
    )
    batch_spans: int = configured(
        Key(
            "otel_batch_max",
            whole_number(1, BATCH_SPANS_MAX, "spans"),
            BATCH_SPANS,
            "Spans in one request to the collector, at most.",
        )
    )
    delay_s: float = configured(
        Key(
            "otel_delay_s",
            number(0.01, 60, "seconds"),
            DELAY_S,
            "Seconds after which spans are sent, however few there are.",
        )
    )
    timeout_s: float = configured(
        Key(
            "otel_timeout_s",
            number(0.1, 600, "seconds"),
            TIMEOUT_S,
            "Seconds for the collector to take one request, tries included.",
        )
    )
