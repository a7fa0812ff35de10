"""The thread that exports: it never holds up who adds spans, and what is lost is counted, and said once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult

from tests.support.otlp_collector import collector
from tests.support.until import until
from warren.plugins.otel.context import TraceContext
from warren.plugins.otel.exporting import LIBRARY, Exporter, Sender, otlp_sender, resource
from warren.plugins.otel.settings import OtelSettings
from warren.plugins.otel.span import INTERNAL, Span

LOG = logging.getLogger("tests.otel")

TIME_LIMIT_S = 60.0


class FakeSender:
    """Takes batches once its gate is open.  takes: or refuses them."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Any]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.takes = True
        self.ended = False

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        self.entered.set()
        self.gate.wait(TIME_LIMIT_S)
        if self.takes:
            self.batches.append(spans)
            return SpanExportResult.SUCCESS
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.ended = True
        self.gate.set()


@contextmanager
def exporting(sender: Sender, **settings: Any) -> Iterator[Exporter]:
    made = Exporter(sender, OtelSettings(**{"delay_s": 0.01, **settings}), LOG, "1.0")
    made.start()
    try:
        yield made
    finally:
        made.stop()


def span(number: int, error: str = "") -> Span:
    context = TraceContext(1, number, 1, "a=1")
    parent = TraceContext(1, 99, 1)
    return Span(f"publish {number}", INTERNAL, context, parent, 5, 6, {"a": 1, "b": ["x", "y"]}, parent, error)


def wait(condition: Callable[[], object]) -> None:
    """For what the thread does; it says nothing, so it is asked often."""
    until(lambda: bool(condition()), lambda left_s: time.sleep(0.002))


def test_spans_come_in_batches() -> None:
    sender = FakeSender()
    with exporting(sender, batch_spans=3) as exporter:
        for number in range(1, 8):
            exporter.add(span(number))
        sender.gate.set()
        wait(lambda: exporter.sent == 7)
    names = [each.name for batch in sender.batches for each in batch]
    assert names == [f"publish {number}" for number in range(1, 8)]
    assert max(map(len, sender.batches)) <= 3
    assert sender.ended
    assert (exporter.sent, exporter.failed, exporter.dropped, exporter.waiting) == (7, 0, 0, 0)


def test_what_a_slow_collector_leaves_is_dropped_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    sender = FakeSender()
    with caplog.at_level(logging.INFO, LOG.name), exporting(sender, queue_spans=10, batch_spans=2) as exporter:
        exporter.add(span(1))
        wait(sender.entered.is_set)
        waiting = exporter.waiting
        for number in range(2, 102):
            exporter.add(span(number))
        assert exporter.waiting == 10
        assert exporter.dropped == 100 - (10 - waiting)
        sender.gate.set()
        wait(lambda: exporter.waiting == 0)
        for number in range(200, 230):
            exporter.add(span(number))
            wait(lambda: exporter.waiting == 0)
        wait(lambda: len(caplog.messages) == 2)
    lost, again = caplog.messages
    assert lost == "spans are lost: more than 10 would wait (otel_queue_max)"
    assert again == f"spans are sent again; {exporter.dropped} were lost until now"


def test_what_a_collector_refuses_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    sender = FakeSender()
    sender.takes = False
    sender.gate.set()
    with caplog.at_level(logging.INFO, LOG.name), exporting(sender) as exporter:
        for number in range(1, 6):
            exporter.add(span(number))
            wait(lambda: exporter.waiting == 0)
        wait(lambda: exporter.failed == 5)
    assert [message.split(":")[0] for message in caplog.messages] == ["spans are lost"]


def test_an_error_of_the_library_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeSender):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            if not self.entered.is_set():
                self.entered.set()
                raise RuntimeError("broken")
            return super().export(spans)

    sender = Broken()
    sender.gate.set()
    with caplog.at_level(logging.INFO, LOG.name), exporting(sender) as exporter:
        exporter.add(span(1))
        wait(lambda: exporter.failed == 1)
        exporter.add(span(2))
        wait(lambda: exporter.sent == 1)
        wait(lambda: len(caplog.messages) == 2)
    assert caplog.messages[0] == "spans are lost: RuntimeError: broken"


def test_the_end_waits_for_no_collector() -> None:
    sender = FakeSender()
    with exporting(sender, batch_spans=1) as exporter:
        exporter.add(span(1))
        wait(sender.entered.is_set)
        for number in range(2, 5):
            exporter.add(span(number))
    assert sender.ended
    exporter.add(span(9))
    assert exporter.sent + exporter.failed + exporter.dropped == 5


def test_what_is_left_at_the_end_is_sent() -> None:
    sender = FakeSender()
    sender.gate.set()
    with exporting(sender, delay_s=60.0) as exporter:
        exporter.add(span(1))
    assert exporter.sent == 1


def test_a_span_on_the_wire() -> None:
    with collector() as spans:
        settings = {"endpoint": f"{spans.url}/v1/traces", "headers": (("x-api-key", "secret"),), "service_name": "own"}
        with exporting(otlp_sender(OtelSettings(**settings)), **settings) as exporter:  # type: ignore[arg-type]
            exporter.add(span(7, "refused"))
            [found] = spans.wait(len)
    assert (found.name, found.trace, found.id, found.parent) == ("publish 7", f"{1:032x}", f"{7:016x}", f"{99:016x}")
    assert (found.start_ns, found.end_ns, found.state, found.links) == (5, 6, "a=1", (f"{99:016x}",))
    assert found.attributes == {"a": 1, "b": ["x", "y"], "error.type": "refused"}
    assert found.error == "refused"
    assert (found.resource["service.name"], found.resource["service.version"]) == ("own", "1.0")
    path, headers = spans.requests[0]
    assert (path, headers["x-api-key"]) == ("/v1/traces", "secret")
    assert headers["content-type"] == "application/x-protobuf"


def test_no_collector_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with collector() as spans:
        gone = spans.url
    settings = {"endpoint": f"{gone}/v1/traces", "timeout_s": 0.2}
    with caplog.at_level(logging.INFO), exporting(otlp_sender(OtelSettings(**settings)), **settings) as exporter:  # type: ignore[arg-type]
        for number in (1, 2):
            exporter.add(span(number))
            wait(lambda: exporter.waiting == 0)
        wait(lambda: exporter.failed == 2)
    assert [message.split(":")[0] for message in caplog.messages] == ["spans are lost"]
    assert len(caplog.messages[0]) > len("spans are lost: ")
    assert logging.getLogger(LIBRARY).propagate


@pytest.mark.parametrize(
    ("environment", "service", "expected"),
    [
        ({}, "", "warren"),
        ({"OTEL_SERVICE_NAME": "theirs"}, "", "theirs"),
        ({"OTEL_SERVICE_NAME": "theirs"}, "own", "own"),
    ],
)
def test_the_name_of_the_service(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], service: str, expected: str
) -> None:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert resource(service, "1.0").attributes["service.name"] == expected
