"""Looking into a queue, and moving what is in it, over HTTP."""

from __future__ import annotations

import base64

from tests.plugins.management.api import Api, open_api, refusal
from tests.plugins.management.test_messages import get, publish
from warren.core.administration.operations import queues


async def test_messages_stay_where_they_are() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        await publish(api, "größe", properties={"headers": {"n": 1}, "delivery_mode": 2})
        await publish(api, base64.b64encode(b"\xff\0").decode(), payload_encoding="base64")
        for _ in range(2):
            page = await api.get("/queues/%2F/q/messages")
            first, second = page.pop("items")
            assert page == {"offset": 0, "next_offset": 2, "messages_ready": 2, "messages_unacknowledged": 0}
            assert first == {
                "state": "ready",
                "position": 0,
                "redelivered": False,
                "delivery_count": 0,
                "exchange": "",
                "routing_key": "q",
                "properties": {"headers": {"n": 1}, "delivery_mode": 2},
                "payload_bytes": 7,
                "payload": "größe",
                "payload_encoding": "string",
            }
            assert (second["payload"], second["payload_encoding"]) == ("/wA=", "base64")


async def test_pages_and_beginnings() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        for number in range(5):
            await publish(api, f"body {number}")
        page = await api.get("/queues/%2F/q/messages?offset=1&count=2&truncate=4")
        assert [(each["position"], each["payload"], each["payload_bytes"]) for each in page["items"]] == [
            (1, "body", 6),
            (2, "body", 6),
        ]
        assert page["next_offset"] == 3
        assert (await api.get("/queues/%2F/q/messages?offset=9"))["items"] == []
        for query in ("offset=-1", "count=0", "count=1001", "truncate=x", "state=all", "offset=" + "9" * 50):
            refusal(await api.ask("GET", f"/queues/%2F/q/messages?{query}"), 400, "bad_request")
        refusal(await api.ask("GET", "/queues/%2F/none/messages"), 404, "Object Not Found")


async def test_a_page_ends_where_it_is_large_enough() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        size = queues.PAGE_BYTES_MAX // 2 + 1
        async with api.embedded.connect() as client:
            for _ in range(3):
                await client.publish("", "q", b"x" * size)
        page = await api.get("/queues/%2F/q/messages?truncate=1")
        assert (len(page["items"]), page["next_offset"], page["messages_ready"]) == (2, 2, 3)
        page = await api.get("/queues/%2F/q/messages?truncate=1&offset=2")
        assert (len(page["items"]), page["next_offset"]) == (1, 3)


async def test_what_consumers_have() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        await api.put("/queues/%2F/other", {})
        for number in range(3):
            await publish(api, str(number))
        await publish(api, "elsewhere", "other")
        async with api.embedded.connect(name="reader") as client:
            assert await client.get("other") is not None
            for _ in range(2):
                assert await client.get("q") is not None
            page = await api.get("/queues/%2F/q/messages?state=unacknowledged")
            assert [(each["payload"], each["state"]) for each in page["items"]] == [
                ("0", "unacknowledged"),
                ("1", "unacknowledged"),
            ]
            assert (page["messages_ready"], page["messages_unacknowledged"]) == (1, 2)
            page = await api.get("/queues/%2F/q/messages?state=unacknowledged&count=1")
            assert [each["payload"] for each in page["items"]] == ["0"]


async def test_who_may_look_and_move() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        anne = api.user("anne", "management")
        api.broker.users.set_permissions("anne", "/", ".*", ".*", "^other$")
        refusal(await api.ask("GET", "/queues/%2F/q/messages", auth=anne), 401, "not_authorised")
        refusal(
            await api.ask("POST", "/queues/%2F/q/move", {"exchange": "amq.topic"}, auth=anne), 401, "not_authorised"
        )


async def moved(api: Api, **body: object) -> object:
    response = await api.ask("POST", "/queues/%2F/from/move", body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_moving() -> None:
    async with open_api() as api:
        for name in ("from", "q"):
            await api.put(f"/queues/%2F/{name}", {})
        for number in range(5):
            await publish(api, str(number), "from")
        assert await moved(api, destination_queue="q", count=2) == {"message_count": 2, "stopped": ""}
        assert await moved(api, exchange="amq.default", routing_key="q", count=1) == {"message_count": 1, "stopped": ""}
        assert await moved(api, exchange="amq.topic", routing_key="k") == {
            "message_count": 0,
            "stopped": "exchange 'amq.topic' leads nowhere with the routing key 'k'.",
        }
        assert await moved(api, destination_queue="q") == {"message_count": 2, "stopped": ""}
        assert [each["payload"] for each in await get(api)] == ["0", "1", "2", "3", "4"]
        for body in (
            {},
            {"destination_queue": "q", "exchange": "x"},
            {"destination_queue": "q", "routing_key": "k"},
            {"destination_queue": "from"},
            {"destination_queue": "q", "count": 0},
        ):
            refusal(await api.ask("POST", "/queues/%2F/from/move", body), 400, "bad_request")
        refusal(await api.ask("POST", "/queues/%2F/from/move", {"destination_queue": "none"}), 404, "Object Not Found")
        api.broker.alarms.set("memory", True)
        refusal(await api.ask("POST", "/queues/%2F/from/move", {"destination_queue": "q"}), 503, "service_unavailable")
        api.broker.alarms.set("memory", False)
