"""Words of `warren ctl` about connections of AMQP 1.0: they are listed with sessions and links, and closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.control.control_target import Asker
from tests.support.simulated_amqp10 import Amqp10Client, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.adapter import listings
from warren.adapters.amqp10.codec.performatives import Close
from warren.adapters.amqp10.codec.termini import Source
from warren.core.declaring.queues import declare_queue


@pytest.fixture
def client() -> Iterator[Amqp10Client]:
    """With a queue `q`, and a receiver that is kept for an hour once its connection is closed."""
    simulated = SimulatedBroker()
    for kind in listings():
        simulated.broker.listings.register(kind)
    made = Amqp10Client(simulated).open(container_id="box").begin()
    declare_queue(made.connection.logged_in, "q")
    source = Source()
    source.address, source.expiry_policy, source.timeout = "/queues/q", "connection-close", 3600
    made.attach_receiver(None, name="in", source=source)
    yield made
    simulated.close()


async def test_what_is_listed_of_a_connection_until_it_is_closed(client: Amqp10Client) -> None:
    warren = Asker()
    warren.server.broker = client.simulated.broker
    name = client.connection.name
    assert await warren.rows("list_connections", "name", "protocol") == [[name, "AMQP 1-0"]]
    assert await warren.rows("list_amqp10_connections", "container_id", "links") == [["box", 1]]
    assert await warren.rows("list_channels", "connection", "number", "consumer_count") == [[name, 0, 1]]
    assert await warren.rows("list_consumers", "queue_name", "consumer_tag") == [["q", "in"]]
    assert await warren.rows("list_amqp10_sessions", "connection", "channel_number", "links") == [[name, 0, 1]]
    link = ["in", "receiver", "attached", name]
    assert await warren.rows("list_amqp10_links", "link_name", "role", "state", "connection") == [link]
    await warren.do("close_connection", name, "for maintenance")
    error = only(Close, client.take()).error
    assert (error.condition, error.description) == ("amqp:connection:forced", "for maintenance")
    for word in ("list_connections", "list_amqp10_connections", "list_amqp10_sessions", "list_channels"):
        assert await warren.rows(word) == []
    kept = ["in", "receiver", "suspended", None]
    assert await warren.rows("list_amqp10_links", "link_name", "role", "state", "connection") == [kept]
