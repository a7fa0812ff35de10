"""Brokers that trace, each way in which they can propagate a context, and the collector that they send spans to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pytest

from tests.plugins.otel.clients import Parent, pika_channel
from tests.support.otlp_collector import Collector, collector
from tests.support.warren_process import WarrenProcess, warren_process


@pytest.fixture(scope="module")
def spans() -> Iterator[Collector]:
    with collector() as made:
        yield made


def _started(spans: Collector, *options: str) -> Any:
    settings = ("plugins=otel", f"otel_endpoint={spans.url}", "otel_delay_s=0.05", *options)
    return warren_process(
        in_memory=True,
        listen=("amqp=127.0.0.1:0", "mqtt=127.0.0.1:0", "stomp=127.0.0.1:0"),
        options=[each for setting in settings for each in ("--set", setting)],
    )


@pytest.fixture(scope="module")
def broker(spans: Collector) -> Iterator[WarrenProcess]:
    with _started(spans) as process:
        _wait_until_traced(process, spans)
        yield process


@pytest.fixture(scope="module")
def rewriting(spans: Collector) -> Iterator[WarrenProcess]:
    with _started(spans, "otel_propagation=rewrite") as process:
        _wait_until_traced(process, spans)
        yield process


@pytest.fixture(scope="module")
def keeping(spans: Collector) -> Iterator[WarrenProcess]:
    with _started(spans, "otel_propagation=keep") as process:
        _wait_until_traced(process, spans)
        yield process


def _wait_until_traced(process: WarrenProcess, spans: Collector) -> None:
    """The plugin starts beside the broker: messages are published until one is traced."""
    for _ in range(600):
        parent = Parent()
        with pika_channel(process) as channel:
            channel.basic_publish("", "nowhere", b"", pika.BasicProperties(headers={"traceparent": parent.text}))
            channel.connection.process_data_events(0.05)
        if any(span.trace == parent.trace for span in list(spans.spans)):
            return
    raise AssertionError("nothing is traced")
