"""The words on MQTT sessions and retained messages."""

from __future__ import annotations

import pytest

from tests.gateway.control.test_delayed import DAY_MS, Delayed
from tests.support.core_broker import core_client
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.subscription import MqttSubscription


@pytest.fixture
async def server() -> Delayed:
    return Delayed()


async def test_sessions(server: Delayed) -> None:
    broker = server.server.broker
    registry = world_of(broker).of(server.vhost)
    session, _ = registry.open("c", user=broker.users["guest"], clean_start=True, expiry_s=60)
    session.subscribe(core_client(broker), MqttSubscription("a/+", "a/+", qos=1))
    answer = await server.ask("list_mqtt_sessions", "client_id,user,subscriptions")
    assert answer["rows"] == [{"client_id": "c", "user": "guest", "subscriptions": 1}]
    answer = await server.ask("list_mqtt_subscriptions", "c")
    assert [each["binding_key"] for each in answer["rows"]] == ["a.*"]  # type: ignore[attr-defined]
    assert (await server.ask("delete_mqtt_session", "c"))["ok"] is True
    assert (await server.ask("delete_mqtt_session", "c"))["exit_code"] == 65


async def test_retained_messages(server: Delayed) -> None:
    assert (await server.ask("set_retained_message", "a/b", "one", qos="1"))["ok"] is True
    assert (await server.ask("set_retained_message", "c", "two"))["ok"] is True
    answer = await server.ask("list_retained_messages", "a/#")
    assert answer["rows"] == [{"topic": "a/b", "qos": 1, "publisher": "", "body_bytes": 3, "body": "one"}]
    answer = await server.ask("list_retained_messages", search="C", count="5")
    assert [each["topic"] for each in answer["rows"]] == ["c"]  # type: ignore[attr-defined]
    assert (await server.ask("delete_retained_message", "c"))["ok"] is True
    assert (await server.ask("delete_retained_message", "c"))["exit_code"] == 65
    assert (await server.ask("set_retained_message", "a", "x", qos="3"))["exit_code"] == 64
    assert (await server.ask("set_retained_message", "a/+", "x"))["exit_code"] == 70
    assert (await server.ask("list_retained_messages", count="0"))["exit_code"] == 64


async def test_delayed_messages_of_all_exchanges(server: Delayed) -> None:
    server.publish(b"body", DAY_MS, "key")
    answer = await server.ask("list_delayed_messages")
    assert [(each["exchange"], each["routing_key"]) for each in answer["rows"]] == [("later", "key")]  # type: ignore[attr-defined]
