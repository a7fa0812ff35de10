"""Messages leave no work for the cyclic collector: no cycles on their way, and compiled, they are nothing to it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.counted.loads import BLOCK_MESSAGES, LOADS
from tests.benchmarks.counted.program import form
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, publish_frames
from warren.core.messages.message import Message

AMQP = [name for name in LOADS if name.startswith("amqp")]
BLOCKS = 4

SLACK = 200
"""Containers that may come and go beside messages, in the whole load."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", AMQP)
def test_a_load_leaves_nothing_to_collect(name: str, tmp_path: Path) -> None:
    load = LOADS[name](tmp_path)
    blocks = [load.pieces(number) for number in range(2 * BLOCKS)]
    load.run(blocks[:BLOCKS])
    gc.collect()
    before = len(gc.get_objects())
    load.check(load.run(blocks[BLOCKS:]), BLOCKS)
    assert gc.collect() < SLACK
    assert len(gc.get_objects()) < before + BLOCK_MESSAGES + SLACK
    load.broker.close()


@pytest.mark.parametrize("persistent", [False, True], ids=["transient", "persistent"])
def test_what_the_collector_has_to_look_at_in_a_backlog(persistent: bool, tmp_path: Path) -> None:
    """Interpreted, each message once in a while; compiled, no message at all."""
    broker = SimulatedBroker(tmp_path)
    client = broker.connect()
    client.declare("q", durable=True)
    properties = PERSISTENT if persistent else b"\0\0"
    block = b"".join([publish_frames("q", b"a body of 16 byt", properties=properties)] * BLOCK_MESSAGES)
    client.send_bytes(block)
    broker.settle()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(BLOCKS):
        client.send_bytes(block)
        broker.settle()
    gc.collect()
    grown = len(gc.get_objects()) - before
    messages = sum(type(each) is Message for each in gc.get_objects())
    if form() == "compiled":
        assert messages == 0
        assert grown < SLACK
    else:
        assert messages == (BLOCKS + 1) * BLOCK_MESSAGES
        assert grown < BLOCKS * BLOCK_MESSAGES + SLACK
    broker.close()
