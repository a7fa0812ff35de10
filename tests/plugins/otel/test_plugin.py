"""The plugin's life: nothing of it while it is off, coming and going, a collector that is away, a restart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from tests.plugins.otel.clients import Parent, got, pika_channel, published
from tests.support.otlp_collector import collector
from tests.support.warren_process import PYTHON_PATH, WarrenProcess, start_warren
from warren.gateway import BrokerClient, EmbeddedBroker, encode_properties, open_broker
from warren.gateway.configuration.config import Config
from warren.plugins.otel.settings import endpoint

TIME_LIMIT_S = 60.0

OFF = """
import sys
import trio
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config

async def main():
    async with open_broker(listen=(), config=Config(in_memory=True)) as broker:
        async with broker.connect() as client:
            await client.declare_queue("q")
            await client.publish("", "q", b"m")

trio.run(main)
print([name for name in sys.modules if name.startswith(("opentelemetry", "warren.plugins.otel"))])
"""


def test_nothing_is_imported_while_it_is_off() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF],
        env={"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr


def config(url: str, **settings: Any) -> Config:
    made: Config = Config(in_memory=True, plugins=("otel",), otel_endpoint=endpoint(url), otel_delay_s=0.01, **settings)
    return made


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(TIME_LIMIT_S):
        while not condition():
            await trio.sleep(0.01)


def counters(broker: EmbeddedBroker) -> dict[str, float]:
    rows = [row for row in broker.inspect("plugins") if row["name"] == "otel"]
    found = rows[0]["counters"] if rows else {}
    assert isinstance(found, dict)
    return found


async def through(client: BrokerClient, queue: str) -> None:
    """One message, published and acknowledged."""
    properties = encode_properties(headers={"traceparent": Parent().text})
    await client.publish("", queue, b"m", properties)
    delivery = await client.get(queue)
    assert delivery is not None
    delivery.ack()


async def test_it_comes_and_goes_while_the_broker_runs() -> None:
    with collector() as spans:
        async with open_broker(listen=(), config=config(spans.url)) as broker, broker.connect() as client:
            await client.declare_queue("q")
            await until(lambda: "spans_sent" in counters(broker))
            await until_traced(client, broker)
            await broker._server.set_plugins([])
            sent = len(spans.spans)
            await through(client, "q")
            await broker._server.set_plugins(["otel"])
            await until(lambda: "spans_sent" in counters(broker))
            assert len(spans.spans) == sent
            await until_traced(client, broker)
        names = [span.name for span in spans.spans]
    assert {"publish q", "route q", "get q", "ack q"} == set(names)


async def until_traced(client: BrokerClient, broker: EmbeddedBroker) -> None:
    """The plugin observes a moment after it runs."""
    with trio.fail_after(TIME_LIMIT_S):
        while not counters(broker)["spans_sent"]:
            await through(client, "q")
            await trio.sleep(0.01)


async def test_a_collector_that_hangs_holds_up_nothing() -> None:
    with collector() as spans:
        spans.gate.clear()
        settings = config(spans.url, otel_queue_max=20, otel_batch_max=5)
        async with open_broker(listen=(), config=settings) as broker, broker.connect() as client:
            await client.declare_queue("q")
            await until(lambda: "spans_sent" in counters(broker))
            while counters(broker)["spans_dropped"] < 40:
                await through(client, "q")
            assert counters(broker)["spans_sent"] == 0
            assert counters(broker)["spans_waiting"] <= 20
            assert counters(broker)["deliveries_out"] == 0


async def test_a_part_of_the_traces() -> None:
    """What has no context is sampled by the ratio; what has one, as its publisher says."""
    with collector() as spans:
        settings = config(spans.url, otel_ratio=0.0)
        async with open_broker(listen=(), config=settings) as broker, broker.connect() as client:
            await client.declare_queue("q")
            await until(lambda: "spans_sent" in counters(broker))
            await until_traced(client, broker)
            await client.publish("", "q", b"unsampled", encode_properties(message_id="unsampled"))
            before = counters(broker)["spans_sent"] + counters(broker)["spans_waiting"]
            told = Parent()
            await client.publish("", "q", b"m", encode_properties(headers={"traceparent": told.text}))
            await until(lambda: any(span.trace == told.trace for span in list(spans.spans)))
        assert before
        assert not [span for span in spans.spans if span.attributes.get("messaging.message.id") == "unsampled"]


def test_a_message_keeps_its_trace_over_a_restart(tmp_path: Path) -> None:
    parent = Parent()

    def started() -> WarrenProcess:
        settings = ("plugins=otel", f"otel_endpoint={spans.url}", "otel_delay_s=0.05")
        options = [each for setting in settings for each in ("--set", setting)]
        return start_warren(tmp_path, data_directory=tmp_path / "data", options=options)

    with collector() as spans:
        process = started()
        try:
            with pika_channel(process) as channel:
                while not any(span.name == "publish q" for span in list(spans.spans)):
                    published(channel, "q", {}, delivery_mode=2)
                    channel.connection.process_data_events(0.05)
                channel.queue_purge("q")
                channel.confirm_delivery()
                published(channel, "q", {"traceparent": parent.text}, delivery_mode=2)
                spans.trace(parent.trace, "publish q")
            assert process.stop() == 0
            process = started()
            with pika_channel(process) as channel:
                method, properties, _ = got(channel, "q")
                channel.basic_nack(method.delivery_tag, requeue=True)
                while "deliver q" not in {span.name for span in list(spans.spans) if span.trace == parent.trace}:
                    method, properties, _ = got(channel, "q")
                    channel.basic_nack(method.delivery_tag, requeue=True)
                    channel.connection.process_data_events(0.05)
            assert properties.headers == {"traceparent": parent.text}
            found = spans.trace(parent.trace, "publish q", "deliver q")
            assert found["deliver q"].parent == found["publish q"].id
        finally:
            process.stop()
