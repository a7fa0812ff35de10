"""Connections, sessions and links in listings; suspended links; connections that an operator closes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, data, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.adapter import listings
from warren.adapters.amqp10.codec.performatives import SETTLED, Close
from warren.adapters.amqp10.codec.termini import Coordinator, Source
from warren.adapters.amqp10.suspended import suspended_of
from warren.core.administration import operations
from warren.core.declaring.queues import declare_queue

RABBITMQ_COLUMNS = {
    "amqp10_sessions": """channel_number handle_max next_incoming_id incoming_window next_outgoing_id
        remote_incoming_window remote_outgoing_window outgoing_unsettled_deliveries""",
    "amqp10_links": """handle link_name snd_settle_mode target_address max_message_size delivery_count credit
        unconfirmed_messages source_address queue_name send_settled""",
}


@pytest.fixture
def client(connect: Connect, simulated: SimulatedBroker) -> Amqp10Client:
    """With a queue `q`, a sender with the handle 0 and a receiver with 1."""
    for kind in listings():
        simulated.broker.listings.register(kind)
    client = connect(container_id="box")
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q")
    client.attach_receiver("/queues/q")
    return client


def rows(client: Amqp10Client, what: str) -> list[Any]:
    return client.simulated.broker.inspect(what, None)


@pytest.mark.parametrize("what", RABBITMQ_COLUMNS)
def test_every_column_of_rabbitmqs_may_be_asked_for(client: Amqp10Client, what: str) -> None:
    client.simulated.broker.listings.check_columns(what, RABBITMQ_COLUMNS[what].split())


def test_a_connection_is_among_all(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    other = simulated.connect()
    (row,) = rows(client, "amqp10_connections")
    assert (row["container_id"], row["sessions"], row["links"], row["state"]) == ("box", 1, 2, "running")
    assert [each["protocol"] for each in rows(client, "connections")] == ["AMQP 1-0", "AMQP 0-9-1"]
    other.close()


def test_sessions_show_their_windows(client: Amqp10Client) -> None:
    client.begin(3, window=7)
    client.publish(data(b"x"))
    client.credit(5)
    first, second = rows(client, "amqp10_sessions")
    assert (first["channel_number"], first["links"], first["next_incoming_id"]) == (0, 2, 1)
    assert (first["next_outgoing_id"], first["outgoing_unsettled_deliveries"]) == (1, 1)
    assert (second["channel_number"], second["links"]) == (3, 0)
    assert (second["remote_incoming_window"], second["remote_outgoing_window"]) == (7, 7)
    assert second["name"] == f"{client.connection.name} (3)"
    client.end(3)
    assert len(rows(client, "amqp10_sessions")) == 1


def test_links_show_their_ends_and_their_credit(client: Amqp10Client) -> None:
    client.credit(5)
    client.publish(data(b"x"))
    sender, receiver = rows(client, "amqp10_links")
    assert (sender["role"], sender["handle"], sender["target_address"]) == ("sender", 0, "/queues/q")
    assert (sender["source_address"], sender["queue_name"], sender["send_settled"]) == (None, None, None)
    assert (sender["delivery_count"], sender["unconfirmed_messages"], sender["state"]) == (1, 0, "attached")
    assert sender["max_message_size"] == client.connection.settings.message_bytes_max
    assert (receiver["role"], receiver["handle"], receiver["source_address"]) == ("receiver", 1, "/queues/q")
    assert (receiver["target_address"], receiver["queue_name"], receiver["credit"]) == (None, "q", 4)
    assert (receiver["delivery_count"], receiver["send_settled"]) == (1, False)
    for each in (sender, receiver):
        assert (each["connection"], each["session"], each["user"]) == (client.connection.name, 0, "guest")
        assert (each["container_id"], each["vhost"], each["snd_settle_mode"]) == ("box", "/", "unsettled")


def test_links_of_every_sort_are_shown(client: Amqp10Client) -> None:
    client.attach_sender(None, handle=2, name="any", snd_settle_mode=SETTLED)
    client.attach_sender(None, handle=3, name="control", target=Coordinator())
    paired = {"paired": True}
    client.attach_sender("/management", handle=4, name="pair", properties=paired)
    client.attach_receiver("/management", handle=5, name="pair", properties=paired, snd_settle_mode=SETTLED)
    found = {each["handle"]: each for each in rows(client, "amqp10_links")}
    assert (found[2]["target_address"], found[2]["snd_settle_mode"]) == (None, "settled")
    assert (found[3]["target_address"], found[3]["link_name"]) == (None, "control")
    assert (found[4]["target_address"], found[5]["source_address"]) == ("/management", "/management")
    assert (found[5]["send_settled"], found[5]["queue_name"], found[5]["name"]) == (True, None, "pair")
    client.detach(2)
    assert {each["handle"] for each in rows(client, "amqp10_links")} == {0, 1, 3, 4, 5}


def test_suspended_links_are_shown_until_they_go(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    source = Source()
    source.address = "/queues/q"
    source.expiry_policy = "connection-close"
    source.timeout = 60
    client.attach_receiver(None, handle=7, name="lasting", source=source)
    for _ in range(2):
        client.publish(data(b"x"))
    client.credit(2, handle=7)
    name = client.connection.name
    client.transport.lose()
    simulated.settle()
    (row,) = rows(client, "amqp10_links")
    assert (row["link_name"], row["state"], row["role"], row["queue_name"]) == ("lasting", "suspended", "receiver", "q")
    assert (row["unsettled"], row["expiry_policy"], row["expiry_timeout"]) == (2, "connection-close", 60)
    assert row["expires_at"] == simulated.broker.now_ms + 60_000
    assert (row["container_id"], row["user"], row["vhost"]) == ("box", "guest", "/")
    assert (row["connection"], row["session"], row["handle"], row["credit"]) == (None, None, None, None)
    assert name not in [each["name"] for each in rows(client, "connections")]
    assert simulated.broker.inspect("amqp10_links", "other") == []
    simulated.advance(60_000)
    assert rows(client, "amqp10_links") == []
    assert len(suspended_of(simulated.broker)) == 0


def test_who_is_closed_by_an_operator_is_told_why(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    operations.connections.close(simulated.broker, client.connection.name, "for maintenance")
    error = only(Close, client.take()).error
    assert (error.condition, error.description) == ("amqp:connection:forced", "for maintenance")
    assert client.closed
    assert rows(client, "amqp10_connections") == []
    assert rows(client, "amqp10_links") == []
