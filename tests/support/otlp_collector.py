"""A collector of OpenTelemetry's spans: OTLP over HTTP with protobuf, in a thread; it can be slow, and can refuse."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TIME_LIMIT_S = 60.0

INTERNAL, PRODUCER, CONSUMER = 1, 4, 5
"""Kinds of spans, as OTLP numbers them (trace.proto, Span.SpanKind)."""


@dataclass(frozen=True)
class Seen:
    """A span as it came.  ids are in hexadecimal, parent empty for none; links are the span ids of others."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    state: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    links: tuple[str, ...]
    error: str
    resource: Mapping[str, Any]
    scope: str

    @property
    def traceparent(self) -> str:
        """As a child of it would be told."""
        return f"00-{self.trace}-{self.id}-01"


@dataclass
class Collector:
    """refuses: answers 503 in place of 200.  gate: requests wait for it.  requests: paths and headers that came."""

    port: int = 0
    refuses: bool = False
    spans: list[Seen] = field(default_factory=list)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """For `otel_endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """One request."""
        request = ExportTraceServiceRequest.FromString(body)
        with self.changed:
            self.requests.append((path, headers))
            if not self.refuses:
                self.spans.extend(_spans(request))
            self.changed.notify_all()

    def wait(self, enough: Callable[[list[Seen]], object]) -> list[Seen]:
        """All spans, once they are enough; AssertionError, with their names, if they don't come."""
        until = time.monotonic() + TIME_LIMIT_S
        with self.changed:
            while not enough(self.spans):
                left = until - time.monotonic()
                assert left > 0, [(span.name, span.trace) for span in self.spans]
                self.changed.wait(left)
            return list(self.spans)

    def trace(self, trace_id: str, *names: str) -> dict[str, Seen]:
        """The spans of one trace by name, once it has all of these."""
        wanted = set(names)
        spans = self.wait(lambda spans: wanted <= {each.name for each in spans if each.trace == trace_id})
        return {each.name: each for each in spans if each.trace == trace_id}


@contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    """One that takes everything at once, on a port of the kernel's choice or on this one."""
    made = Collector()
    made.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.gate.wait(TIME_LIMIT_S)
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.take(self.path, headers, gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
            self.send_response(503 if made.refuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Seen(
                    span.name,
                    span.kind,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.trace_state,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _attributes(span.attributes),
                    tuple(link.span_id.hex() for link in span.links),
                    span.status.message if span.status.code == 2 else "",
                    resource,
                    of_scope.scope.name,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(each) for each in found.values] if kind == "array_value" else found
