"""A stranger's tests in Trio, with a broker in the test, whose time is the test's.  Run by ../test_strangers.py."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from warren.gateway import EmbeddedBroker
from warren.testing.broker import WarrenBroker
from warren.testing.errors import WarrenError

pytestmark = pytest.mark.trio


async def test_in_the_programs_own_loop(warren_embedded: EmbeddedBroker) -> None:
    async with warren_embedded.connect() as client:
        await client.declare_queue("orders")
        await client.publish("", "orders", b"three chairs")
        assert (await client.check_queue("orders")).messages == 1
    stream = await trio.open_tcp_stream(*warren_embedded.address())
    await stream.send_all(b"AMQP\0\0\x09\x01")
    assert (await stream.receive_some(1)) == b"\x01"
    await stream.aclose()


async def test_in_virtual_time(autojump_clock: MockClock, warren_embedded: EmbeddedBroker) -> None:
    async with warren_embedded.connect() as client:
        await client.declare_queue("orders", arguments={"x-message-ttl": 1_800_000})
        await client.publish("", "orders", b"three chairs")
        await trio.sleep(1801)
        assert (await client.check_queue("orders")).messages == 0


async def test_beside_the_broker_of_the_session(warren_broker: WarrenBroker) -> None:
    assert warren_broker.queues() == []
    with pytest.raises(WarrenError, match=r"await trio.to_thread.run_sync\(lambda: warren_broker.wait_until\("):
        warren_broker.wait_until(lambda: True)
    await trio.to_thread.run_sync(warren_broker.wait_until_idle)
