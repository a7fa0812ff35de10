"""Publishing and getting."""

from __future__ import annotations

import base64

from tests.plugins.management.api import Api, open_api, refusal


async def publish(api: Api, payload: str, key: str = "q", *, exchange: str = "amq.default", **more: object) -> object:
    body = {"routing_key": key, "payload": payload, "payload_encoding": "string", "properties": {}, **more}
    response = await api.ask("POST", f"/exchanges/%2F/{exchange}/publish", body)
    assert response.status_code == 200, response.text
    return response.json()["routed"]


async def get(api: Api, **more: object) -> list[dict[str, object]]:
    body = {"count": 10, "ackmode": "ack_requeue_false", "encoding": "auto", **more}
    response = await api.ask("POST", "/queues/%2F/q/get", body)
    assert response.status_code == 200, response.text
    found: list[dict[str, object]] = response.json()
    return found


async def test_a_message_comes_out_as_it_went_in() -> None:
    properties = {
        "delivery_mode": 2,
        "content_type": "text/plain",
        "headers": {"n": 5, "s": "text", "t": {"deep": [True, None, 1.5]}},
        "priority": "3",
        "message_id": "m",
        "timestamp": 1700000000,
    }
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        assert await publish(api, "größe", properties=properties)
        (found,) = await get(api)
        assert found == {
            "payload_bytes": 7,
            "redelivered": False,
            "exchange": "",
            "routing_key": "q",
            "message_count": 0,
            "properties": {**properties, "priority": 3, "headers": {**found["properties"]["headers"]}},  # type: ignore[index]
            "payload": "größe",
            "payload_encoding": "string",
        }
        assert found["properties"]["headers"] == {"n": 5, "s": "text", "t": {"deep": [True, "undefined", 1.5]}}  # type: ignore[index]
        assert await get(api) == []


async def test_nobody_takes_it() -> None:
    async with open_api() as api:
        assert await publish(api, "x", "nobody") is False
        assert await publish(api, "x", exchange="amq.fanout") is False


async def test_bytes_go_as_base64() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        raw = bytes(range(256))
        text = base64.b64encode(raw).decode()
        assert await publish(api, text, payload_encoding="base64")
        assert await publish(api, "text")
        first, second = await get(api, ackmode="ack_requeue_true")
        assert (first["payload"], first["payload_encoding"], first["message_count"]) == (text, "base64", 1)
        assert (second["payload"], second["payload_encoding"], second["message_count"]) == ("text", "string", 0)
        first, second = await get(api, encoding="base64", truncate=4)
        assert (first["payload"], first["payload_bytes"]) == (base64.b64encode(raw[:4]).decode(), 256)
        assert second["payload"] == base64.b64encode(b"text").decode()


async def test_what_becomes_of_what_is_got() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/dead", {})
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
        await api.put("/queues/%2F/q", {"arguments": arguments})
        for number in range(3):
            await publish(api, str(number))
        assert [each["payload"] for each in await get(api, ackmode="ack_requeue_true", count=2)] == ["0", "1"]
        redelivered = await get(api, ackmode="reject_requeue_true")
        assert [(each["payload"], each["redelivered"]) for each in redelivered] == [
            ("0", True),
            ("1", True),
            ("2", False),
        ]
        assert [each["payload"] for each in await get(api, ackmode="reject_requeue_false", count=1)] == ["0"]
        assert (await api.get("/queues/%2F/dead"))["messages"] == 1
        assert [each["payload"] for each in await get(api, ackmode=None, requeue=True)] == ["1", "2"]
        assert [each["payload"] for each in await get(api, ackmode=None, requeue=False)] == ["1", "2"]
        assert (await api.get("/queues/%2F/q"))["messages"] == 0


async def test_what_cannot_be_published() -> None:
    async with open_api() as api:
        fine = {"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}}
        for change, reason in (
            ({"payload_encoding": "rot13"}, "must be string or base64"),
            ({"payload_encoding": "base64", "payload": "no!"}, "isn't base64"),
            ({"properties": {"colour": "red"}}, "no property 'colour'"),
            ({"properties": {"priority": "high"}}, "priority must be a number"),
            ({"properties": {"priority": 300}}, "priority"),
            ({"properties": {"message_id": 5}}, "message_id must be a text"),
            ({"properties": {"message_id": "x" * 300}}, "message_id"),
            ({"properties": {"headers": [1]}}, "must be a JSON object"),
            ({"properties": {"headers": {"n": 2**70}}}, "64 bits"),
            ({"routing_key": 5}, "routing_key"),
        ):
            response = await api.ask("POST", "/exchanges/%2F/amq.default/publish", {**fine, **change})
            assert reason in refusal(response, 400, "bad_request"), change
        refusal(await api.ask("POST", "/exchanges/%2F/nobody/publish", fine), 404, "Object Not Found")
        for missing in ("routing_key", "payload", "payload_encoding"):
            body = {name: value for name, value in fine.items() if name != missing}
            response = await api.ask("POST", "/exchanges/%2F/amq.default/publish", body)
            assert missing in refusal(response, 400, "bad_request")


async def test_what_cannot_be_got() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        fine: dict[str, object] = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        changes: tuple[dict[str, object], ...] = (
            {"count": -1},
            {"count": 1001},
            {"count": "many"},
            {"ackmode": "eat"},
            {"ackmode": None},
            {"encoding": "rot13"},
            {"truncate": -1},
        )
        for change in changes:
            assert refusal(await api.ask("POST", "/queues/%2F/q/get", {**fine, **change}), 400, "bad_request"), change
        refusal(await api.ask("POST", "/queues/%2F/nobody/get", fine), 404, "Object Not Found")


async def test_a_full_queue_and_an_alarm() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {"arguments": {"x-max-length": 1, "x-overflow": "reject-publish"}})
        assert await publish(api, "one")
        body = {"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}}
        response = await api.ask("POST", "/exchanges/%2F/amq.default/publish", body)
        assert "rejected" in refusal(response, 400, "bad_request")
        api.embedded.set_alarm("memory", True)
        response = await api.ask("POST", "/exchanges/%2F/amq.default/publish", body)
        assert "low on memory" in refusal(response, 503, "service_unavailable")
        failed = await api.ask("GET", "/health/checks/alarms")
        assert (failed.status_code, failed.json()["status"]) == (503, "failed")
        assert failed.json()["alarms"][0]["resource"] == "memory"
        api.embedded.set_alarm("memory", False)
        assert await api.get("/health/checks/alarms") == {"status": "ok"}


async def test_rights_are_those_over_amqp() -> None:
    async with open_api() as api:
        ann = api.user("ann", "management")
        api.broker.users.set_permissions("ann", "/", ".*", "^mine", "^mine")
        await api.put("/queues/%2F/q", {})
        body = {"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": {}}
        response = await api.ask("POST", "/exchanges/%2F/amq.default/publish", body, auth=ann)
        assert "write access" in refusal(response, 401, "not_authorised")
        wanted = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        response = await api.ask("POST", "/queues/%2F/q/get", wanted, auth=ann)
        assert "read access" in refusal(response, 401, "not_authorised")
