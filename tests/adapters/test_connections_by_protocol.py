"""list_mqtt_connections and list_stomp_connections: as list_connections, of one protocol, with RabbitMQ's columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.tls_broker import hub_of
from warren.core.administration.listing.kinds import UnknownColumn
from warren.gateway import open_broker
from warren.gateway.configuration.options import listings_of_protocols
from warren.gateway.control.words.built_in import WORDS

RABBITMQ_COLUMNS = {
    "mqtt_connections": """awaiting_ack awaiting_seqno channel_max channels clean_sess client_id client_properties
        conn_name connection connection_state consumer_tags exchange frame_max host message_id peer_host peer_port port
        protocol retainer_pid ssl ssl_cipher ssl_hash ssl_key_exchange ssl_login_name ssl_protocol unacked_pubs user
        vhost will_msg""",
    "stomp_connections": """auth_login auth_mechanism channel channel_max channels client_properties conn_name
        connection connection_state frame_max host implicit_connect peer_addr peer_host peer_port port protocol
        session_id ssl ssl_cipher ssl_hash ssl_key_exchange ssl_protocol version""",
}


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    for kind in listings_of_protocols():
        broker.broker.listings.register(kind)
    broker.connect()
    yield broker
    broker.close()


def test_mqtt_connections_with_their_client_ids(broker: SimulatedBroker) -> None:
    StompClient(broker).connect()
    lasting, clean = MqttClient(broker), MqttClient(broker)
    lasting.connect("lasting", clean_start=False, session_expiry_interval=3600)
    clean.connect("clean")
    rows = broker.broker.inspect("mqtt_connections", None)
    assert [(row["client_id"], row["clean_sess"], row["connection_state"]) for row in rows] == [
        ("lasting", False, "running"),
        ("clean", True, "running"),
    ]
    assert rows[0]["conn_name"] == rows[0]["connection"] == rows[0]["name"] == "127.0.0.1:40000 -> 127.0.0.1:5672"
    assert broker.broker.listings.kind("mqtt_connections").shown == ("client_id", "conn_name")
    clean.disconnect()
    assert [row["client_id"] for row in broker.broker.inspect("mqtt_connections", "/")] == ["lasting"]
    assert broker.broker.listings.kind("mqtt_connections").count(broker.broker, None) == 1


def test_stomp_connections_with_their_sessions(broker: SimulatedBroker) -> None:
    MqttClient(broker).connect()
    client = StompClient(broker).connect("1.1")
    (row,) = broker.broker.inspect("stomp_connections", None)
    assert row["session_id"] == client.session.id
    assert (row["version"], row["auth_login"], row["peer_addr"]) == ("1.1", "guest", "127.0.0.1")
    assert row["connection_state"] == row["state"] == "running"
    assert row["conn_name"] == row["connection"] == row["name"]
    assert broker.broker.listings.kind("stomp_connections").shown == ("session_id", "conn_name")
    client.transport.lose()
    assert broker.broker.inspect("stomp_connections", None) == []


@pytest.mark.parametrize("what", RABBITMQ_COLUMNS)
def test_every_column_of_rabbitmqs_may_be_asked_for(broker: SimulatedBroker, what: str) -> None:
    broker.broker.listings.check_columns(what, RABBITMQ_COLUMNS[what].split())
    with pytest.raises(UnknownColumn):
        broker.broker.listings.check_columns(what, ["nonsense"])


async def test_a_broker_that_runs_has_them() -> None:
    async with open_broker(listen=()) as broker:
        assert {"mqtt_connections", "stomp_connections"} <= set(hub_of(broker).broker.listings.names())


def test_words_show_them() -> None:
    assert {"list_mqtt_connections", "list_stomp_connections"} <= set(WORDS)
