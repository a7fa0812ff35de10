"""What shovels of the configuration declare at their ends."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.plugins.shovel.brokers import ask, edge, fill, take, until_state
from warren.adapters.amqp091.codec import methods
from warren.core.errors import PreconditionFailed
from warren.gateway import open_broker
from warren.plugins.shovel.declarations import METHODS, declarations
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.plugin import static_shovels

LEAST: dict[str, Any] = {"src-uri": "amqp://", "src-queue": "a", "dest-uri": "amqp://", "dest-queue": "b"}

EVERYTHING: list[Any] = [
    {"method": "exchange.declare", "exchange": "x", "type": "topic", "durable": True, "auto-delete": False},
    {"method": "exchange.declare", "exchange": "x", "passive": True},
    {"method": "exchange.declare", "exchange": "y", "type": "fanout"},
    {"method": "exchange.bind", "destination": "x", "source": "amq.topic", "routing_key": "a.#"},
    {"method": "exchange.bind", "destination": "x", "source": "amq.topic", "routing_key": "b"},
    {"method": "exchange.unbind", "destination": "x", "source": "amq.topic", "routing-key": "b"},
    {"method": "exchange.delete", "exchange": "y", "if-unused": True},
    {"method": "queue.declare", "queue": "gone"},
    {"method": "queue.delete", "queue": "gone", "if-empty": True},
    {"method": "queue.declare", "queue": "q", "durable": True, "arguments": {"x-max-length": 1000}},
    {"method": "queue.declare", "passive": True, "queue": "q"},
    {"method": "queue.bind", "exchange": "x", "routing-key": "a.1"},
    {"method": "queue.bind", "exchange": "x", "routing-key": "a.2"},
    {"method": "queue.unbind", "exchange": "x", "routing-key": "a.2"},
    "queue.purge",
]


@pytest.mark.parametrize("where", ["here", "far"])
@pytest.mark.parametrize("end", ["src", "dest"])
async def test_everything_is_declared_at_either_end(where: str, end: str) -> None:
    async with open_broker() as upstream:
        url = "amqp://" if where == "here" else upstream.url()
        keys = {f"{end}-uri": url, f"{end}-queue": "q", f"{end}-declarations": EVERYTHING, "reconnect-delay": 0.05}
        async with edge(shovel_static=static_shovels({"s": {**LEAST, **keys}})) as broker:
            await until_state(broker, "running")
            there = broker if where == "here" else upstream
            rows = there.inspect("bindings")
            bound = {(row["source_name"], row["destination_name"], row["routing_key"]) for row in rows}
            assert ("amq.topic", "x", "a.#") in bound
            assert ("x", "q", "a.1") in bound
            assert {key for source, _, key in bound if source in ("amq.topic", "x")} == {"a.#", "a.1"}
            names = {str(row["name"]) for row in there.inspect("queues")}
            assert "gone" not in names
            assert {row["name"] for row in there.inspect("exchanges")} >= {"x"}
            assert "y" not in {row["name"] for row in there.inspect("exchanges")}
            # Again, at the next connection.
            assert (await ask(broker, "restart_shovel", "s"))["ok"]
            await until_state(broker, "running")


async def test_messages_go_by_what_was_declared() -> None:
    async with open_broker() as upstream, upstream.connect() as far:
        static = {
            **LEAST,
            "src-declarations": [
                {"method": "queue.declare", "queue": "a", "durable": True},
                {"method": "queue.bind", "queue": "a", "exchange": "amq.topic", "routing-key": "k.#"},
            ],
            "dest-uri": upstream.url(),
            "dest-declarations": [{"method": "queue.declare", "queue": "b", "arguments": {"x-max-length": 5}}],
        }
        async with edge(shovel_static=static_shovels({"s": static})) as broker, broker.connect() as here:
            await until_state(broker, "running")
            await here.publish("amq.topic", "k.1", b"1")
            assert await take(far, "b", 1) == [b"1"]


@pytest.mark.parametrize("where", ["here", "far"])
async def test_one_that_is_refused_is_the_reason(where: str) -> None:
    async with open_broker() as upstream, upstream.connect() as far:
        url = "amqp://" if where == "here" else upstream.url()
        keys = {"src-uri": url, "src-declarations": [{"method": "queue.bind", "queue": "a", "exchange": "none"}]}
        static = {"s": {**LEAST, **keys, "reconnect-delay": 0.05}}
        async with edge(shovel_static=static_shovels(static)) as broker, broker.connect() as here:
            await until_state(broker, "terminated", "a")
            client = here if where == "here" else far
            await fill(client, "a", [b"1"])
            await until_state(broker, "terminated", "none")
            await client.declare_exchange("none", "topic")
            await until_state(broker, "running")
            assert await take(here, "b", 1) == [b"1"]


def test_a_parameter_may_not_declare() -> None:
    with pytest.raises(PreconditionFailed, match="'src-declarations' is for shovels of the configuration"):
        read_definition({**LEAST, "src-declarations": []})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "must be a list of methods"),
        ([1], "number 1 isn't a method's name"),
        ([{"queue": "a"}], "number 1 isn't a method's name"),
        (["queue.purge", "basic.publish"], "number 2 is 'basic.publish'; there are exchange.bind,"),
        ([{"method": "queue.bind", "key": "a"}], "no field 'key' in number 1, queue.bind; it has queue, exchange"),
        ([{"method": "queue.bind", "nowait": True}], "no field 'nowait'"),
        (
            [{"method": "queue.declare", "durable": 1}],
            "field 'durable' in number 1, queue.declare, that must be true",
        ),
        ([{"method": "queue.declare", "queue": 1}], "that must be a string"),
        ([{"method": "queue.declare", "arguments": []}], "that must be an object"),
    ],
)
def test_what_is_wrong_is_said(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        declarations(value)


def test_every_method_is_known_by_its_name() -> None:
    assert declarations(sorted(METHODS)) == tuple(METHODS[name]() for name in sorted(METHODS))
    assert isinstance(declarations(["queue.declare"])[0], methods.QueueDeclare)
