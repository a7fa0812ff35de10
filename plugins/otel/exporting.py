"""The thread that sends spans to a collector: OTLP over HTTP with protobuf, by OpenTelemetry's own exporter.

The hub puts spans into a row and goes on, whatever the collector does.  The row is bounded: what is too much is
dropped and counted, and so is what the collector doesn't take within its timeout.  The log says once that it is so and
why, and once that it is over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from warren.plugins.otel.settings import OtelSettings
from warren.plugins.otel.span import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

    from warren.plugins.otel.context import TraceContext

SCOPE: Final = "warren"
"""The instrumentation scope of all spans."""

FLUSH_S: Final = 2.0
"""What is left at the end may take so long."""

LIBRARY: Final = "opentelemetry"
"""The library's logger.  Each of its lines is about a request that failed, of which one is told."""


class Sender(Protocol):
    """OpenTelemetry's SpanExporter, as far as it is used."""

    def export(self, spans: Sequence[ReadableSpan]) -> object:
        """Send; a SpanExportResult."""

    def shutdown(self) -> None:
        """Let go of a request that is under way."""


class Reasons(logging.Handler):
    """Keeps what the library has said last, instead of logging each of it."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


class Exporter:
    """log: the plugin's.  version: Warren's.  What it counts only grows."""

    def __init__(self, sender: Sender, settings: OtelSettings, log: logging.Logger, version: str) -> None:
        self.sent = self.dropped = self.failed = 0
        self._settings = settings
        self._sender = sender
        self._log = log
        self._spans: deque[Span] = deque()
        self._wake = threading.Event()
        self._end_at: float | None = None
        self._is_losing = False
        self._lost = self._sent = 0
        self._library_propagated = True
        self._reasons = Reasons()
        self._form = SpanForm(settings.service_name, version)
        self._thread = threading.Thread(target=self._run, name="warren-otel", daemon=True)

    def start(self) -> None:
        """Begin; the library's log lines are kept to itself until `stop`."""
        library = logging.getLogger(LIBRARY)
        self._library_propagated = library.propagate
        library.propagate = False
        library.addHandler(self._reasons)
        self._thread.start()

    def add(self, span: Span) -> None:
        """By the hub: one more, or it is dropped."""
        spans = self._spans
        count = len(spans)
        if count >= self._settings.queue_spans or self._end_at is not None:
            self.dropped += 1
            return
        spans.append(span)
        if count + 1 == self._settings.batch_spans:
            self._wake.set()

    @property
    def waiting(self) -> int:
        """Spans that wait."""
        return len(self._spans)

    def stop(self) -> None:
        """Send what is left, for a moment; to be called in another thread than the hub's."""
        self._end_at = time.monotonic() + FLUSH_S
        self._wake.set()
        self._thread.join(FLUSH_S)
        self._sender.shutdown()
        self._thread.join(FLUSH_S)
        library = logging.getLogger(LIBRARY)
        library.removeHandler(self._reasons)
        library.propagate = self._library_propagated

    def _run(self) -> None:
        settings = self._settings
        while True:
            if len(self._spans) < settings.batch_spans and self._end_at is None:
                self._wake.wait(settings.delay_s)
            self._wake.clear()
            ending = self._end_at is not None
            while self._spans and (self._end_at is None or time.monotonic() < self._end_at):
                self._send(min(len(self._spans), settings.batch_spans))
                self._tell()
                if len(self._spans) < settings.batch_spans and self._end_at is None:
                    break
            self._tell()
            if ending:
                self.dropped += len(self._spans)
                self._spans.clear()
                return

    def _send(self, count: int) -> None:
        batch = [self._form.made(self._spans.popleft()) for _ in range(count)]
        try:
            taken = getattr(self._sender.export(batch), "name", "") == "SUCCESS"
        except Exception as error:  # whatever it is, the thread goes on
            taken = False
            self._reasons.last = f"{type(error).__name__}: {error}"
        if taken:
            self.sent += count
        else:
            self.failed += count

    def _tell(self) -> None:
        """Say once that spans are lost, and once that they are taken again."""
        lost, sent = self.failed + self.dropped, self.sent
        if lost > self._lost:
            if not self._is_losing:
                self._is_losing = True
                why = self._reasons.last or f"more than {self._settings.queue_spans} would wait (otel_queue_max)"
                self._log.warning("spans are lost: %s", why)
        elif self._is_losing and sent > self._sent:
            self._is_losing = False
            self._reasons.last = ""
            self._log.warning("spans are sent again; %d were lost until now", lost)
        self._lost, self._sent = lost, sent


class SpanForm:
    """Makes of spans what the library sends.  service: the service's name, empty for what the environment says."""

    def __init__(self, service: str, version: str) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk import trace as sdk
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._trace = trace
        self._sdk = sdk
        self._scope = InstrumentationScope(SCOPE, version)
        self._resource = resource(service, version)
        self._kinds = {kind.value: kind for kind in trace.SpanKind}
        self._unset = trace.Status(trace.StatusCode.UNSET)

    def made(self, span: Span) -> ReadableSpan:
        """One span."""
        trace = self._trace
        attributes: Mapping[str, object] = span.attributes
        status = self._unset
        if span.error:
            attributes = {**attributes, "error.type": span.error}
            status = trace.Status(trace.StatusCode.ERROR, span.error)
        return self._sdk.ReadableSpan(
            span.name,
            self._context(span.context, is_remote=False),
            None if span.parent is None else self._context(span.parent, is_remote=span.name.startswith("publish ")),
            self._resource,
            attributes,  # type: ignore[arg-type]  # of the kinds that Span allows
            (),
            () if span.link is None else (trace.Link(self._context(span.link, is_remote=False)),),
            self._kinds[span.kind],
            None,
            status,
            span.start_ns,
            span.end_ns,
            self._scope,
        )

    def _context(self, context: TraceContext, *, is_remote: bool) -> SpanContext:
        trace = self._trace
        state = trace.TraceState.from_header([context.state]) if context.state else None
        made: SpanContext = trace.SpanContext(
            context.trace_id, context.span_id, is_remote, trace.TraceFlags(context.flags), state
        )
        return made


def resource(service: str, version: str) -> Resource:
    """Who sends: OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME count where the configuration says nothing."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    made = Resource.create({SERVICE_VERSION: version})
    if service:
        return made.merge(Resource({SERVICE_NAME: service}))
    if str(made.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return made.merge(Resource({SERVICE_NAME: "warren"}))
    return made


def otlp_sender(settings: OtelSettings) -> Sender:
    """OpenTelemetry's exporter of OTLP over HTTP."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(
        endpoint=settings.endpoint or None,
        headers=dict(settings.headers) or None,
        timeout=settings.timeout_s,
    )
