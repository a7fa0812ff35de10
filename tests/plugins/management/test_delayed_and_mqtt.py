"""Delayed messages, MQTT sessions and retained messages over HTTP."""

from __future__ import annotations

from urllib.parse import quote

from tests.plugins.management.api import Api, open_api, refusal
from tests.plugins.management.test_messages import publish
from tests.support.core_broker import core_client
from warren.adapters.mqtt.sessions.operations import retained
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.subscription import MqttSubscription


async def test_delayed_messages_are_listed_and_cancelled() -> None:
    async with open_api() as api:
        for name in ("later", "much later"):
            body = {"type": "x-delayed-message", "arguments": {"x-delayed-type": "fanout"}}
            await api.put(f"/exchanges/%2F/{quote(name)}", body)
        for name, delay_ms in (("later", 90_000), ("much%20later", 60_000), ("later", 30_000)):
            await publish(api, "body", str(delay_ms), exchange=name, properties={"headers": {"x-delay": delay_ms}})
        page = await api.get("/delayed")
        assert [(each["exchange"], each["routing_key"]) for each in page["items"]] == [
            ("later", "30000"),
            ("much later", "60000"),
            ("later", "90000"),
        ]
        assert (page["total"], page["offset"]) == (3, 0)
        page = await api.get("/delayed/%2F?offset=1&count=1")
        assert [each["routing_key"] for each in page["items"]] == ["60000"]
        held = page["items"][0]
        assert held["payload_bytes"] == 4
        path = f"/delayed/%2F/{quote(held['exchange'])}/{held['id']}"
        assert (await api.ask("DELETE", path)).status_code == 204
        refusal(await api.ask("DELETE", path), 404, "Object Not Found")
        assert (await api.get("/delayed"))["total"] == 2
        refusal(await api.ask("DELETE", "/delayed/%2F/amq.topic/1-1"), 404, "Object Not Found")
        refusal(await api.ask("GET", "/delayed?count=1001"), 400, "bad_request")
        refusal(await api.ask("GET", "/delayed?offset=10000"), 400, "bad_request")
        anne = api.user("anne", "management")
        api.broker.users.set_permissions("anne", "/", "", "", "")
        wanted = (await api.get("/delayed", auth=anne))["items"][0]["id"]
        refusal(await api.ask("DELETE", f"/delayed/%2F/later/{wanted}", auth=anne), 401, "not_authorised")


def add_session(api: Api, client_id: str, user: str = "guest") -> None:
    """One of a client that is away."""
    registry = world_of(api.broker).of(api.broker.vhosts["/"])
    session, _ = registry.open(client_id, user=api.broker.users[user], clean_start=True, expiry_s=3600)
    session.detached_at_ms = api.broker.now_ms
    client = core_client(api.broker, user)
    session.subscribe(client, MqttSubscription("a/+", "a/+", qos=1))
    client.close()


async def test_sessions_are_listed_and_ended() -> None:
    async with open_api() as api:
        anne = api.user("anne", "management")
        add_session(api, "sensor/7")
        add_session(api, "phone", "anne")
        found = await api.get("/mqtt/sessions?sort=client_id")
        assert [(each["client_id"], each["user"], each["connected"]) for each in found] == [
            ("phone", "anne", False),
            ("sensor/7", "guest", False),
        ]
        assert [each["client_id"] for each in await api.get("/mqtt/sessions/%2F", auth=anne)] == ["phone"]
        assert (await api.get("/mqtt/sessions?name=sens&page=1"))["filtered_count"] == 1
        one = await api.get("/mqtt/sessions/%2F/sensor%2F7")
        assert (one["queue"], one["expiry_interval"]) == ("mqtt-subscription-sensor/7", 3600)
        (subscribed,) = await api.get("/mqtt/sessions/%2F/sensor%2F7/subscriptions")
        assert (subscribed["topic_filter"], subscribed["qos"], subscribed["queue"]) == ("a/+", 1, one["queue"])
        refusal(await api.ask("GET", "/mqtt/sessions/%2F/sensor%2F7", auth=anne), 404, "Object Not Found")
        refusal(await api.ask("DELETE", "/mqtt/sessions/%2F/sensor%2F7", auth=anne), 404, "Object Not Found")
        watching = api.user("eve", "monitoring")
        refusal(await api.ask("DELETE", "/mqtt/sessions/%2F/sensor%2F7", auth=watching), 401, "not_authorised")
        assert (await api.ask("DELETE", "/mqtt/sessions/%2F/phone", auth=anne)).status_code == 204
        assert (await api.ask("DELETE", "/mqtt/sessions/%2F/sensor%2F7")).status_code == 204
        assert await api.get("/mqtt/sessions") == []


async def test_retained_messages() -> None:
    async with open_api() as api:
        topic = quote("größe/a b", safe="")
        path = f"/mqtt/retained/%2F/{topic}"
        assert (await api.ask("PUT", path, {"payload": "one", "qos": 1})).status_code == 204
        shown = await api.get(path)
        assert {name: shown[name] for name in ("topic", "payload", "payload_encoding", "qos", "publisher")} == {
            "topic": "größe/a b",
            "payload": "one",
            "payload_encoding": "string",
            "qos": 1,
            "publisher": "",
        }
        assert (await api.ask("PUT", path, {"payload": "/wA=", "payload_encoding": "base64"})).status_code == 204
        await api.ask("PUT", "/mqtt/retained/%2F/other", {"payload": "x" * 5000})
        page = await api.get("/mqtt/retained/%2F?filter=gr%C3%B6%C3%9Fe/%23")
        assert ([each["payload"] for each in page["items"]], page["total"]) == (["/wA="], 1)
        page = await api.get("/mqtt/retained/%2F?search=OTH")
        assert [len(each["payload"]) for each in page["items"]] == [4096]
        assert (await api.get("/mqtt/retained/%2F?count=1"))["total"] == 2
        assert (await api.ask("DELETE", path)).status_code == 204
        refusal(await api.ask("DELETE", path), 404, "Object Not Found")
        refusal(await api.ask("GET", path), 404, "Object Not Found")
        for query in ("filter=a/%23/b", "count=501", f"offset={retained.KEPT_MAX}", "truncate=-1"):
            refusal(await api.ask("GET", f"/mqtt/retained/%2F?{query}"), 400, "bad_request")
        for wrong in ({"payload": ""}, {"payload": "x", "qos": 3}, {"payload": "?", "payload_encoding": "base64"}):
            refusal(await api.ask("PUT", path, wrong), 400, "bad_request")
        refusal(await api.ask("PUT", "/mqtt/retained/%2F/%24SYS%2Fa", {"payload": "x"}), 400, "bad_request")
