"""Where a message would go, and why, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.plugins.management.api import Api, open_api, refusal
from warren.core.administration import operations
from warren.core.declaring.actor import Administrator
from warren.core.declaring.queues import declare_queue


async def explain(api: Api, **body: object) -> Any:
    response = await api.ask("POST", "/explain/%2F", body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_dry_run() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        body = {"routing_key": "orders.*", "arguments": {}}
        assert (await api.ask("POST", "/bindings/%2F/e/amq.topic/q/q", body)).status_code == 201
        found = await explain(api, exchange="amq.topic", routing_key="orders.new", user="guest")
        assert (found["outcome"], found["routed"], [each["name"] for each in found["queues"]]) == (
            "routed",
            True,
            ["q"],
        )
        (permission, step) = found["steps"]
        assert permission["kind"] == "permission"
        assert step["matched"] == [
            {
                "destination": "q",
                "destination_type": "queue",
                "routing_key": "orders.*",
                "arguments": {},
                "properties_key": "orders.%2A",
                "matched": True,
                "reason": "the binding key 'orders.*' matches",
            }
        ]
        assert (await explain(api, exchange="amq.topic", routing_key="orders"))["outcome"] == "unroutable"
        assert (await explain(api, exchange="amq.default", routing_key="q"))["routed"]
        assert (await explain(api))["outcome"] == "unroutable"
        assert (await api.get("/queues/%2F/q"))["messages"] == 0, "nothing was published"


async def test_a_topic_of_mqtt_stands_for_exchange_and_key() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        await api.ask("POST", "/bindings/%2F/e/amq.topic/q/q", {"routing_key": "a.*.c"})
        found = await explain(api, mqtt_topic="a/b/c")
        assert [each["name"] for each in found["queues"]] == ["q"]
        assert found["steps"][0]["routing_keys"] == ["a.b.c"]
        for topic in ("", "a/+", "a\0"):
            refusal(await api.ask("POST", "/explain/%2F", {"mqtt_topic": topic}), 400, "bad_request")
        refusal(await api.ask("POST", "/explain/%2F", {"mqtt_topic": "a", "routing_key": "k"}), 400, "bad_request")


async def test_who_may_ask_what() -> None:
    async with open_api() as api:
        anne = api.user("anne", "management")
        ask = {"routing_key": "q", "user": "guest"}
        refusal(await api.ask("POST", "/explain/%2F", ask, auth=anne), 401, "not_authorised")
        assert (await api.ask("POST", "/explain/%2F", {"user": "anne"}, auth=anne)).status_code == 200
        refusal(await api.ask("POST", "/explain/%2F", {"user": "nobody"}), 404, "Object Not Found")
        refusal(await api.ask("POST", "/explain/none", {}), 404, "Object Not Found")
        refusal(await api.ask("POST", "/explain/%2F", {"properties": {"colour": 1}}), 400, "bad_request")
        refusal(await api.ask("POST", "/explain/%2F", {"payload_bytes": -1}), 400, "bad_request")


async def test_names_that_are_no_unicode_are_shown() -> None:
    async with open_api() as api:
        declare_queue(Administrator(api.broker.vhosts["/"]), "q")
        operations.bindings.add(api.broker, "/", "amq.fanout", "queue", "q", "\udcff")
        found = await explain(api, exchange="amq.fanout")
        assert [each["routing_key"] for each in found["steps"][0]["matched"]] == ["?"]
