"""A span that is over, as the hub notes it: the exporter's thread makes of it what OpenTelemetry's library sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from warren.plugins.otel.context import TraceContext

AttributeValue = str | bool | int | float | Sequence[str]

INTERNAL: Final = 0
PRODUCER: Final = 3
CONSUMER: Final = 4
"""Values of opentelemetry.trace.SpanKind, which is imported with the plugin's start."""


class Span(NamedTuple):
    """name, kind: of a span; what it is called and one of the kinds above.  parent: None for the first of its trace.

    start_ns, end_ns: since 1970.  link: another span that led to it.  error: why it failed, empty if it didn't.
    """

    name: str
    kind: int
    context: TraceContext
    parent: TraceContext | None
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue]
    link: TraceContext | None = None
    error: str = ""
