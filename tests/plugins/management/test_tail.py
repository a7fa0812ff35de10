"""Messages as they come, over HTTP."""

from __future__ import annotations

import json

import trio

from tests.plugins.management.api import GUEST, Api, open_api, refusal
from tests.plugins.management.test_messages import publish


async def until_looked_at(api: Api) -> None:
    """Somebody has begun to look."""
    for _ in range(10_000):
        if api.broker.tails:
            return
        await trio.lowlevel.checkpoint()
    raise AssertionError("nobody looks")


async def lines(
    api: Api, query: str, *bodies: str, accept: str = "*/*", key: str = "q", exchange: str = "amq.default"
) -> list[str]:
    """What is answered to a request that ends by itself, while these are published."""
    found: list[str] = []

    async def read() -> None:
        headers = {"accept": accept}
        async with api.http.stream("GET", f"/api/tail/%2F?{query}", auth=GUEST, headers=headers) as response:
            assert response.status_code == 200
            found.append(response.headers["content-type"])
            found.extend([line async for line in response.aiter_lines() if line and not line.startswith(":")])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await until_looked_at(api)
        for body in bodies:
            await publish(api, body, key, exchange=exchange)
    assert api.broker.tails == set(), "nobody looks any more"
    return found


async def test_a_queue() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        kind, *found = await lines(api, "queue=q&count=2", "one", "two")
        assert kind == "application/x-ndjson"
        first, second = map(json.loads, found)
        assert first.pop("at") > 0
        assert first == {
            "exchange": "",
            "routing_key": "q",
            "properties": {},
            "payload_bytes": 3,
            "payload": "one",
            "payload_encoding": "string",
        }
        assert second["payload"] == "two"
        assert (await api.get("/queues/%2F/q"))["messages"] == 2


async def test_an_exchange_as_events() -> None:
    async with open_api() as api:
        kind, *found = await lines(
            api,
            "exchange=amq.topic&routing_key=a.*&count=1",
            "event",
            accept="text/event-stream",
            key="a.b",
            exchange="amq.topic",
        )
        assert kind.startswith("text/event-stream")
        (line,) = found
        assert json.loads(line.removeprefix("data: "))["payload"] == "event"


async def test_topics_of_mqtt_with_a_condition() -> None:
    async with open_api() as api:
        _, line = await lines(api, "mqtt_topic=a/%2B&body=two&count=1", "one", "two", key="a.b", exchange="amq.topic")
        assert json.loads(line)["payload"] == "two"


async def test_it_ends_with_its_time_and_with_its_reader() -> None:
    async with open_api() as api:
        await api.put("/queues/%2F/q", {})
        ended = await api.http.get("/api/tail/%2F?queue=q&seconds=0", auth=GUEST)
        assert (ended.status_code, ended.text.strip()) == (200, "")
        async with api.http.stream("GET", "/api/tail/%2F?queue=q", auth=GUEST) as response:
            assert response.status_code == 200
            assert len(api.broker.tails) == 1
        for number in range(200):
            if not api.broker.tails:
                break
            await publish(api, str(number))
        assert api.broker.tails == set()
        assert (await api.http.head("/api/tail/%2F?queue=q", auth=GUEST)).status_code == 200
        assert api.broker.tails == set()


async def test_what_cant_be_looked_at() -> None:
    async with open_api() as api:
        for query in ("", "queue=q&exchange=x", "exchange=amq.default", "mqtt_topic=%23/a", "mqtt_topic=a&queue=q"):
            refusal(await api.ask("GET", f"/tail/%2F?{query}"), 400, "bad_request")
        refusal(await api.ask("GET", "/tail/%2F?queue=none"), 404, "Object Not Found")
        anne = api.user("anne", "management")
        api.broker.users.set_permissions("anne", "/", "", "", "")
        await api.put("/queues/%2F/q", {})
        refusal(await api.ask("GET", "/tail/%2F?queue=q", auth=anne), 401, "not_authorised")


async def test_it_ends_with_the_right_to_read() -> None:
    async with open_api() as api:
        anne = api.user("anne", "management")
        await api.put("/queues/%2F/log", {"durable": True, "arguments": {"x-queue-type": "stream"}})
        for query in ("queue=log&from=first", "exchange=amq.topic"):
            api.broker.users.set_permissions("anne", "/", "", "", ".*")
            async with api.http.stream("GET", f"/api/tail/%2F?{query}", auth=anne) as response:
                assert response.status_code == 200
                api.broker.users.set_permissions("anne", "/", "", "", "")
                assert [line async for line in response.aiter_lines() if line] == []
            assert api.broker.tails == set()
